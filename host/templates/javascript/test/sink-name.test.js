// Tests without a host: plain Node.js.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { host } from './host.js';

const { sink } = await import('../sink-name.js');

beforeEach(() => host.reset());

const ended = (nodeid, verdict) => ({
  tag: 'test-finished',
  val: { nodeid, attempt: 1, verdict, duration: 1 },
});
const failed = (nodeid, message) => ({
  tag: 'phase-finished',
  val: { nodeid, outcome: { tag: 'failed' }, failure: { kind: 'AssertionError', message } },
});
const over = { tag: 'session-finished', val: { exitstatus: 0 } };
const numbered = (...events) =>
  events.map((event, index) => ({ seq: index + 1, time: 0, worker: null, event }));

function open(settings) {
  sink.configure(JSON.stringify(settings));
  sink.open({ id: 'run-1' }, 'fresh');
}

test('a summary is written when the run is over', () => {
  open({ dir: 'out' });
  sink.handle(numbered(
    ended('test_a.py::test_b', 'passed'),
    failed('test_a.py::test_é', 'no\nmore'),
    ended('test_a.py::test_é', 'failed'),
  ));
  assert.deepEqual(host.files, {});
  assert.deepEqual(sink.handle(numbered(over)), []);
  assert.deepEqual(JSON.parse(host.files['out/summary.json']), {
    failures: [{ message: 'no', nodeid: 'test_a.py::test_é' }],
    session: 'run-1',
    verdicts: { failed: 1, passed: 1 },
  });
});

test('a server that is busy is asked again, and one that is not granted is not', () => {
  host.answer = { tag: 'ok', val: { status: 503, headers: [], body: new Uint8Array() } };
  open({ dir: 'out', url: 'http://127.0.0.1:1/x' });
  const [undone] = sink.handle(numbered(over));
  assert.deepEqual(undone.why, { tag: 'retry', val: [1, 'answered 503'] });
  assert.equal(host.requests[0].url, 'http://127.0.0.1:1/x');
  host.answer = { tag: 'err', val: { tag: 'denied', val: 'http://127.0.0.1:1' } };
  const [denied] = sink.handle(numbered(over));
  assert.deepEqual(denied.why, { tag: 'reject', val: 'denied: http://127.0.0.1:1' });
});

test('settings', () => {
  const needs = sink.configure('{"dir": "out", "url": "https://h.example/x?y"}');
  assert.deepEqual(needs, [
    { tag: 'write', val: 'out' },
    { tag: 'http', val: 'https://h.example' },
  ]);
  assert.throws(() => sink.configure('{"dri": "out"}'), { key: 'dri' });
});
