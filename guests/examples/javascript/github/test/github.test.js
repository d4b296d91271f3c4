// Tests without a host: plain Node.js.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { host } from './host.js';

const { sink } = await import('../github.js');

const failure = (message, longrepr) => ({ kind: 'AssertionError', message, traceback: [], longrepr });
const failed = (nodeid, message, longrepr = '') => [
  { tag: 'phase-finished', val: { nodeid, outcome: { tag: 'failed' }, failure: failure(message, longrepr) } },
  { tag: 'test-finished', val: { nodeid, attempt: 1, verdict: 'failed', duration: 1 } },
];
const over = { tag: 'session-finished', val: { exitstatus: 1 } };
const numbered = (...events) =>
  events.map((event, index) => ({ seq: index + 1, time: 12.5, worker: null, event }));

function open(settings = {}) {
  sink.configure(JSON.stringify(settings));
  sink.open({ id: 'run-1', started: 0 }, 'fresh');
}

beforeEach(() => host.reset());

test('an annotation is at the line that failed', () => {
  open({ prefix: 'backend/' });
  const longrepr = 'def test_b():\n>   assert 1\n\nhelper.py:3: \n...\ntests/test_a.py:7: AssertionError';
  sink.handle(numbered(...failed('tests/test_a.py::test[a,b: 50%]', 'one\ntwo', longrepr), over));
  assert.equal(
    host.files['github/annotations.txt'],
    '::error file=backend/tests/test_a.py,line=7,title=tests/test_a.py%3A%3Atest[a%2Cb%3A 50%25]' +
      '::AssertionError: one\n',
  );
});

test('what GitHub would not show is not written', () => {
  open();
  for (let number = 0; number < 600; number += 1) {
    sink.handle(numbered(...failed(`t.py::test_${number}`, 'no', 'é'.repeat(10_000))));
  }
  sink.handle(numbered(over));
  assert.equal(host.files['github/annotations.txt'].split('\n').length - 1, 10);
  const bytes = new TextEncoder().encode(host.files['github/summary.md']).length;
  assert.ok(bytes <= 1024 * 1024, `${bytes}`);
  assert.match(host.files['github/summary.md'], /and \d+ more\n$/);
});

test('a summary holds no markup of the tests', () => {
  open({ title: 'a <b>' });
  sink.handle(numbered(...failed('t.py::test_x', '</summary><script>', '\u001b[31m<pre>'), over));
  const text = host.files['github/summary.md'];
  assert.match(text, /^## a &lt;b&gt;\n\n❌ 1 failed in 12\.5 s\n/);
  assert.ok(!text.includes('<script>') && !text.includes('\u001b'));
});

test('settings', () => {
  assert.deepEqual(sink.configure('{"dir": "out"}'), [{ tag: 'write', val: 'out' }]);
  assert.throws(() => sink.configure('{"dri": "out"}'), { key: 'dri' });
});
