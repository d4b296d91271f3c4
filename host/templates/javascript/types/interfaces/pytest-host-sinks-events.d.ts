declare module 'pytest-host:sinks/events@0.1.0' {
  /**
   * Seconds; a point in time counts from the Unix epoch, as pytest's do.
   */
  export type Seconds = number;
  /**
   * One collected test, announced once per session before it runs.
   */
  export interface Test {
    nodeid: string,
    /**
     * Path relative to the root directory, with forward slashes.
     */
    path: string,
    /**
     * 0-based line of the definition, where pytest knows it.
     */
    line?: number | null,
    /**
     * The item's own name, parameters included, e.g. `test_pass[1]`. Not a
     * part of `nodeid` that can be cut out: parameters may hold `::`.
     */
    name: string,
    /**
     * Dotted name inside the module, e.g. `TestThing.test_pass[1]`.
     */
    domain: string,
    /**
     * The docstring as Python has it, indentation included.
     */
    doc?: string | null,
    keywords: Array<string>,
    /**
     * The xdist scheduling group, with `--dist loadgroup`; never part of `nodeid`.
     */
    group?: string | null,
  }
  /**
   * One pytest invocation, xdist workers included.
   */
  export interface Session {
    id: string,
    rootdir: string,
    invocationDir: string,
    args: Array<string>,
    started: Seconds,
    pytestVersion: string,
    pythonVersion: string,
    /**
     * `sys.prefix` and `sys.base_prefix`.
     */
    pythonPrefixes: [string, string],
    hostname: string,
    pid: number,
    /**
     * `--dist` of the controlling process; absent without xdist.
     */
    dist?: string | null,
    /**
     * Pairs without a field of their own yet: `job`, of which job of a host it is the run; `target`, each file or
     * folder that pytest was told to run, relative to `rootdir` where it is below; `utc-offset`, by how many
     * seconds the local time of pytest's process was ahead of UTC.
     */
    labels: Array<[string, string]>,
  }
  /**
   * # Variants
   * 
   * ## `"setup"`
   * 
   * ## `"call"`
   * 
   * ## `"teardown"`
   */
  export type Phase = 'setup' | 'call' | 'teardown';
  /**
   * Open on purpose: plugins add outcomes of their own.
   */
  export type Outcome = OutcomePassed | OutcomeFailed | OutcomeSkipped | OutcomeRerun | OutcomeOther;
  export interface OutcomePassed {
    tag: 'passed',
  }
  export interface OutcomeFailed {
    tag: 'failed',
  }
  export interface OutcomeSkipped {
    tag: 'skipped',
  }
  export interface OutcomeRerun {
    tag: 'rerun',
  }
  export interface OutcomeOther {
    tag: 'other',
    val: string,
  }
  /**
   * What the test came to once teardown is over.
   * # Variants
   * 
   * ## `"passed"`
   * 
   * ## `"failed"`
   * 
   * ## `"error"`
   * 
   * ## `"skipped"`
   * 
   * ## `"xfailed"`
   * 
   * ## `"xpassed"`
   * 
   * ## `"rerun"`
   * 
   * ## `"crashed"`
   * 
   * ## `"interrupted"`
   */
  export type Verdict = 'passed' | 'failed' | 'error' | 'skipped' | 'xfailed' | 'xpassed' | 'rerun' | 'crashed' | 'interrupted';
  export interface Failure {
    /**
     * Exception class name, e.g. `AssertionError`.
     */
    kind: string,
    message: string,
    /**
     * One entry per frame, outermost first, each as Python's
     * `traceback.format_tb` has it; frames of pytest itself are left out.
     */
    traceback: Array<string>,
    /**
     * The text pytest itself would print.
     */
    longrepr: string,
  }
  export type Capture = CaptureOut | CaptureErr | CaptureLog | CaptureOther;
  export interface CaptureOut {
    tag: 'out',
  }
  export interface CaptureErr {
    tag: 'err',
  }
  export interface CaptureLog {
    tag: 'log',
  }
  export interface CaptureOther {
    tag: 'other',
    val: string,
  }
  export interface Section {
    capture: Capture,
    title: string,
    content: string,
    /**
     * Bytes before truncation, where the content was cut.
     */
    originalSize?: number | null,
  }
  export interface Report {
    nodeid: string,
    /**
     * `name` and `group` of the test, so that a sink need not remember them.
     */
    name: string,
    group?: string | null,
    /**
     * 1 for a test's first run in this session, 2 for its first rerun.
     */
    attempt: number,
    phase: Phase,
    outcome: Outcome,
    xfailReason?: string | null,
    start: Seconds,
    stop: Seconds,
    /**
     * Seconds on a monotonic clock: not exactly `stop - start`.
     */
    duration: Seconds,
    /**
     * Set for whatever raised: failed, skipped and xfailed alike.
     */
    failure?: Failure | null,
    /**
     * Only what this phase captured; earlier phases are not repeated.
     */
    sections: Array<Section>,
    /**
     * `record_property` pairs; values are JSON.
     */
    properties: Array<[string, string]>,
    /**
     * Set on the report of a subtest.
     */
    subtest?: string | null,
  }
  export interface TestEnd {
    nodeid: string,
    attempt: number,
    verdict: Verdict,
    duration: Seconds,
  }
  /**
   * # Variants
   * 
   * ## `"failure"`
   * 
   * ## `"checkpoint"`
   */
  export type PauseKind = 'failure' | 'checkpoint';
  /**
   * # Variants
   * 
   * ## `"resumed"`
   * 
   * ## `"timed-out"`
   * 
   * ## `"abandoned"`
   */
  export type PauseEnd = 'resumed' | 'timed-out' | 'abandoned';
  export interface PauseRequest {
    id: string,
    kind: PauseKind,
    nodeid: string,
    task: string,
    timeout: Seconds,
    originalFailure?: string | null,
    created: Seconds,
  }
  export interface Decision {
    /**
     * A checkpoint's answer.
     */
    outcome?: boolean | null,
    reason?: string | null,
    /**
     * Extra explanation appended to a failed test's report.
     */
    failureReason?: string | null,
    /**
     * Who answered: `cli`, `http`, `file`, or a sink's name.
     */
    by: string,
  }
  /**
   * # Variants
   * 
   * ## `"created"`
   * 
   * ## `"collected"`
   * 
   * ## `"in-progress"`
   * 
   * ## `"terminating"`
   * 
   * ## `"done"`
   */
  export type JobState = 'created' | 'collected' | 'in-progress' | 'terminating' | 'done';
  export interface Job {
    id: string,
    state: JobState,
    returncode?: number | null,
    text?: string | null,
  }
  /**
   * # Variants
   * 
   * ## `"debug"`
   * 
   * ## `"info"`
   * 
   * ## `"warning"`
   * 
   * ## `"error"`
   */
  export type Level = 'debug' | 'info' | 'warning' | 'error';
  /**
   * An event without a case of its own yet; payload is JSON.
   */
  export interface Extension {
    name: string,
    payload: string,
  }
  export interface Warning {
    category: string,
    message: string,
    path: string,
    /**
     * 1-based, as Python counts it.
     */
    line: number,
    /**
     * `config`, `collect` or `runtest`.
     */
    stage: string,
    nodeid?: string | null,
    /**
     * The line of code that it points to, where there is one.
     */
    code?: string | null,
  }
  export interface SessionEnd {
    /**
     * Absent where pytest died without one.
     */
    exitstatus?: number | null,
    reason?: string | null,
  }
  /**
   * Events of one process that could not be kept, and why.
   */
  export interface Gap {
    first: number,
    count: number,
    reason: string,
  }
  export type Event = EventSessionStarted | EventCollected | EventCollectFailed | EventCollectSkipped | EventDeselected | EventCollectionFinished | EventTestStarted | EventPhaseFinished | EventTestFinished | EventNotRun | EventWarning | EventPauseOpened | EventPauseClosed | EventJobChanged | EventOrchestrationReported | EventWorkerLost | EventInterrupted | EventGap | EventSessionFinished | EventExtension;
  export interface EventSessionStarted {
    tag: 'session-started',
    val: Session,
  }
  /**
   * At most 1,000 tests at a time.
   */
  export interface EventCollected {
    tag: 'collected',
    val: Array<Test>,
  }
  export interface EventCollectFailed {
    tag: 'collect-failed',
    val: [string, Failure],
  }
  export interface EventCollectSkipped {
    tag: 'collect-skipped',
    val: [string, string],
  }
  export interface EventDeselected {
    tag: 'deselected',
    val: Array<string>,
  }
  /**
   * Every test was announced; how many there are.
   */
  export interface EventCollectionFinished {
    tag: 'collection-finished',
    val: number,
  }
  export interface EventTestStarted {
    tag: 'test-started',
    val: [string, number],
  }
  export interface EventPhaseFinished {
    tag: 'phase-finished',
    val: Report,
  }
  export interface EventTestFinished {
    tag: 'test-finished',
    val: TestEnd,
  }
  /**
   * Announced but never run, with the reason, e.g. `maxfail`.
   */
  export interface EventNotRun {
    tag: 'not-run',
    val: [string, string],
  }
  export interface EventWarning {
    tag: 'warning',
    val: Warning,
  }
  export interface EventPauseOpened {
    tag: 'pause-opened',
    val: PauseRequest,
  }
  export interface EventPauseClosed {
    tag: 'pause-closed',
    val: [string, PauseEnd, Decision],
  }
  export interface EventJobChanged {
    tag: 'job-changed',
    val: Job,
  }
  export interface EventOrchestrationReported {
    tag: 'orchestration-reported',
    val: [string, Level, string],
  }
  export interface EventWorkerLost {
    tag: 'worker-lost',
    val: [string, string],
  }
  export interface EventInterrupted {
    tag: 'interrupted',
    val: string,
  }
  export interface EventGap {
    tag: 'gap',
    val: Gap,
  }
  export interface EventSessionFinished {
    tag: 'session-finished',
    val: SessionEnd,
  }
  export interface EventExtension {
    tag: 'extension',
    val: Extension,
  }
  export interface Envelope {
    /**
     * Position in the session's journal; unique, increasing, below 2^53.
     */
    seq: number,
    time: Seconds,
    /**
     * xdist worker, e.g. `gw0`.
     */
    worker?: string | null,
    event: Event,
  }
}
