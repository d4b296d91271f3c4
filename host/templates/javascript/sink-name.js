/// <reference path="./types/sink-guest-files.d.ts" />
// Counts what tests came to; at the end of the run it writes that to a file, and posts it where asked to.

import { send } from 'pytest-host:sinks/http@0.1.0';
import { get, set } from 'pytest-host:sinks/state@0.1.0';
import { getDirectories } from 'wasi:filesystem/preopens@0.2.12';

/** Verdicts that are listed one by one. */
const BAD = ['failed', 'error', 'crashed'];
/** Characters of a message that are kept. */
const LONGEST = 200;

// As long as the instance lasts. What outlasts it is in `state`.
let settings;
let sessionId;

/** @type {typeof import('pytest-host:sinks/sink@0.1.0')} */
export const sink = {
  configure(text) {
    settings = check(JSON.parse(text));
    const needs = [{ tag: 'write', val: settings.dir }];
    if (settings.url) needs.push({ tag: 'http', val: origin(settings.url) });
    return needs;
  },

  open(session, _why) {
    sessionId = session.id;
  },

  handle(batch) {
    const tally = load();
    const undone = [];
    for (const { seq, event } of batch) {
      switch (event.tag) {
        case 'phase-finished': {
          const report = event.val;
          if (report.failure && report.outcome.tag === 'failed') {
            tally.messages[report.nodeid] = firstLine(report.failure.message);
          }
          break;
        }
        case 'test-finished':
          count(tally, event.val);
          break;
        case 'session-finished': {
          const refusal = finish(summary(tally));
          if (refusal) undone.push({ seq, why: refusal });
          break;
        }
      }
    }
    // Kept together with the acknowledgement of this batch: nothing is counted twice.
    set('tally', encode(JSON.stringify(tally)));
    return undone;
  },

  close() {},
};

function check(given) {
  for (const [key, value] of Object.entries(given)) {
    if (key !== 'dir' && key !== 'url') {
      throw { key, problem: 'unknown setting; known are dir and url' };
    }
    if (typeof value !== 'string') throw { key, problem: 'expected a text' };
  }
  return { dir: 'report', ...given };
}

function origin(url) {
  const found = /^https?:\/\/[^/?#@]+(?=[/?#]|$)/.exec(url);
  if (!found) throw { key: 'url', problem: 'expected http:// or https://' };
  return found[0];
}

function load() {
  const kept = get('tally');
  return kept ? JSON.parse(decode(kept)) : { verdicts: {}, failures: [], messages: {} };
}

function count(tally, { nodeid, verdict }) {
  tally.verdicts[verdict] = (tally.verdicts[verdict] ?? 0) + 1;
  const message = tally.messages[nodeid] ?? verdict;
  delete tally.messages[nodeid];
  if (BAD.includes(verdict)) tally.failures.push({ message, nodeid });
}

function firstLine(text) {
  // No more than that many characters are in twice as many code units.
  const start = text.slice(0, 2 * LONGEST).split('\n', 1)[0];
  return [...start].slice(0, LONGEST).join('');
}

function summary(tally) {
  const verdicts = Object.fromEntries(Object.entries(tally.verdicts).sort());
  return JSON.stringify({ failures: tally.failures, session: sessionId, verdicts }, null, 2) + '\n';
}

/** Says why it is not done, or nothing. It may be called again: the same text is written and posted. */
function finish(text) {
  writeFile(settings.dir, 'summary.json', text);
  if (!settings.url) return undefined;
  const headers = [['content-type', 'application/json']];
  const request = { method: 'POST', url: settings.url, headers, body: encode(text) };
  const [answer] = send([request], 1);
  if (answer.tag === 'err') {
    const { tag, val } = answer.val;
    return refusal(val ? `${tag}: ${val}` : tag, tag === 'unreachable' || tag === 'timed-out');
  }
  const { status } = answer.val;
  if (status >= 200 && status < 300) return undefined;
  return refusal(`answered ${status}`, status >= 500 || [408, 425, 429].includes(status));
}

/** Trouble that may pass is worth another try; what the server or the host will say again is not. */
function refusal(why, mayPass) {
  return mayPass ? { tag: 'retry', val: [1, why] } : { tag: 'reject', val: why };
}

// There is no library for files and none for UTF-8: these do.

function writeFile(folder, name, text) {
  const [directory] = getDirectories().find(([, granted]) => granted === folder);
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
