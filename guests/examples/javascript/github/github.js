// For GitHub Actions: annotations at the lines that failed, and a summary of the run on its page.

import { get, set } from 'pytest-host:sinks/state@0.1.0';
import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';

/** GitHub shows so many annotations of each kind for a step. */
const ANNOTATIONS = 10;
/** Bytes of a step's summary; GitHub drops a larger one. */
const SUMMARY = 1024 * 1024;
/** Characters that are kept of one failure. */
const LONGEST = 4000;
/** Failures that are kept at all. */
const FAILURES = 500;

const BAD = ['failed', 'error', 'crashed'];
const ICONS = {
  passed: '✅', failed: '❌', error: '💥', crashed: '💥', skipped: '⏭️', xfailed: '☑️', xpassed: '⚠️',
  rerun: '🔁', interrupted: '⏹️',
};
const DEFAULTS = { dir: 'github', title: 'pytest', prefix: '' };

let settings;
let session;

export const sink = {
  configure(text) {
    settings = check(JSON.parse(text));
    return [{ tag: 'write', val: settings.dir }];
  },

  open(opened, _why) {
    session = opened;
  },

  handle(batch) {
    const tally = load('tally') ?? { verdicts: {}, failures: 0, left: 0, open: {} };
    for (const { time, event } of batch) {
      switch (event.tag) {
        case 'phase-finished':
          if (event.val.failure && event.val.outcome.tag === 'failed') note(tally, event.val);
          break;
        case 'test-finished':
          count(tally, event.val);
          break;
        case 'collect-failed': {
          const [nodeid, failure] = event.val;
          add(tally, 'error', { nodeid, ...place(nodeid, failure) });
          break;
        }
        case 'session-finished':
          finish(tally, time - session.started);
          break;
      }
    }
    store('tally', tally);
    return [];
  },

  close() {},
};

function check(given) {
  for (const [key, value] of Object.entries(given)) {
    if (!(key in DEFAULTS)) {
      throw { key, problem: `unknown setting; known are ${Object.keys(DEFAULTS).join(', ')}` };
    }
    if (typeof value !== 'string') throw { key, problem: 'expected a text' };
  }
  return { ...DEFAULTS, ...given };
}

function note(tally, report) {
  tally.open[report.nodeid] = place(report.nodeid, report.failure);
}

function count(tally, { nodeid, verdict }) {
  const known = tally.open[nodeid];
  delete tally.open[nodeid];
  if (BAD.includes(verdict)) {
    add(tally, verdict, { nodeid, ...(known ?? place(nodeid, { message: verdict, longrepr: '' })) });
  } else {
    tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1;
  }
}

function add(tally, verdict, failure) {
  tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1;
  // Under a key of its own each: a batch costs what is in it, however long the run is.
  if (tally.failures < FAILURES) store(`failure/${tally.failures++}`, failure);
  else tally.left += 1;
}

function finish(tally, seconds) {
  const failures = Array.from({ length: tally.failures }, (_, number) => load(`failure/${number}`));
  writeFile('annotations.txt', annotations(failures));
  writeFile('summary.md', summary(tally, failures, seconds));
}

/** Where a test failed, as far as pytest's own text says so: its last line is `file:line: Error`. */
function place(nodeid, { kind, message, longrepr }) {
  const text = cut(longrepr);
  const own = nodeid.split('::', 1)[0];
  const found = [...longrepr.slice(-LONGEST).matchAll(/^(.+?):(\d+): /gm)].filter(([, file]) => file === own);
  const line = found.length ? Number(found[found.length - 1][2]) : undefined;
  const first = message.split('\n', 1)[0];
  const shown = !kind || first.startsWith('assert ') ? first : `${kind}: ${first}`;
  return { file: own, line, message: cut(shown), text };
}

function cut(text) {
  return text.length > LONGEST ? `${[...text.slice(0, LONGEST)].slice(0, -1).join('')}…` : text;
}

/** Commands that GitHub reads out of what a step prints. */
function annotations(failures) {
  return failures
    .slice(0, ANNOTATIONS)
    .map(({ nodeid, file, line, message }) => {
      const where = [`file=${property(settings.prefix + file)}`];
      if (line) where.push(`line=${line}`);
      where.push(`title=${property(nodeid)}`);
      return `::error ${where.join(',')}::${data(message)}\n`;
    })
    .join('');
}

function data(text) {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

function property(text) {
  return data(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
}

/** Markdown, as much of it as GitHub takes. */
function summary(tally, failures, seconds) {
  const counts = Object.entries(tally.verdicts).sort();
  let text = `## ${html(settings.title)}\n\n`;
  text += counts.map(([name, number]) => `${ICONS[name] ?? ''} ${number} ${name}`).join(' · ') || 'no tests';
  text += ` in ${seconds.toFixed(1)} s\n\n`;
  let size = encode(text).length;
  let shown = 0;
  for (const { nodeid, message, text: longrepr } of failures) {
    const part =
      `<details><summary><code>${html(nodeid)}</code> ${html(message)}</summary>\n\n` +
      `<pre>${html(longrepr)}</pre>\n\n</details>\n\n`;
    size += encode(part).length;
    // Room for the last line.
    if (size > SUMMARY - 200) break;
    text += part;
    shown += 1;
  }
  const left = failures.length - shown + tally.left;
  return left ? `${text}and ${left} more\n` : text;
}

function html(text) {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, '·');
}

function load(key) {
  const kept = get(key);
  return kept ? JSON.parse(decode(kept)) : undefined;
}

function store(key, value) {
  set(key, encode(JSON.stringify(value)));
}

function writeFile(name, text) {
  const [directory] = getDirectories().find(([, granted]) => granted === settings.dir);
  const file = directory.openAt({}, name, { create: true, truncate: true }, { write: true });
  const bytes = encode(text);
  let written = 0;
  while (written < bytes.length) written += Number(file.write(bytes.subarray(written), written));
}

function encode(text) {
  const units = unescape(encodeURIComponent(text));
  const bytes = new Uint8Array(units.length);
  for (let index = 0; index < units.length; index++) bytes[index] = units.charCodeAt(index);
  return bytes;
}

function decode(bytes) {
  // In parts: a call takes so many arguments and no more.
  const parts = [];
  for (let start = 0; start < bytes.length; start += 8192) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(start, start + 8192)));
  }
  return decodeURIComponent(escape(parts.join('')));
}
