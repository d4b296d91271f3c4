/// <reference path="./pytest-host-sinks-events.d.ts" />
declare module 'pytest-host:sinks/sink@0.1.0' {
  /**
   * Called first on every instance, and alone when a configuration is only
   * checked. `settings` is the sink's table as JSON. Answers with what the
   * sink needs, or with what is wrong with the settings. It MUST NOT do I/O.
   */
  export function configure(settings: string): Array<Need>;
  /**
   * Called before the first batch of an instance. It MUST be idempotent.
   */
  export function open(session: Session, why: Opening): void;
  /**
   * Batches arrive in order; `session-finished` comes alone, once nothing else
   * waits to be delivered again. Returns the events that are not done; all
   * others are acknowledged. After a trap the unacknowledged events are
   * delivered again, so handling MUST be idempotent by session and `seq`.
   * What a sink carries from one batch to the next it keeps in `state`.
   */
  export function handle(batch: Array<Envelope>): Array<Undone>;
  /**
   * The session is over and every event was acknowledged or set aside; or the sink
   * was removed from it, and gets no more of it. Never called on a swap. It MUST be idempotent: it is called again where the
   * host ended before it knew that `close` had returned.
   */
  export function close(): void;
  export type Session = import('pytest-host:sinks/events@0.1.0').Session;
  export type Envelope = import('pytest-host:sinks/events@0.1.0').Envelope;
  export type Seconds = import('pytest-host:sinks/events@0.1.0').Seconds;
  /**
   * # Variants
   * 
   * ## `"fresh"`
   * 
   * The session's first call.
   * ## `"restarted"`
   * 
   * The instance before this one trapped, or the host was restarted.
   * ## `"swapped"`
   * 
   * Another module or other settings took over between two batches.
   */
  export type Opening = 'fresh' | 'restarted' | 'swapped';
  export type Refusal = RefusalRetry | RefusalReject;
  /**
   * Nothing is wrong with the event; deliver it again, no sooner than this.
   * Later events of the same test wait behind it.
   */
  export interface RefusalRetry {
    tag: 'retry',
    val: [Seconds, string],
  }
  /**
   * The event can never be handled; the host sets it aside.
   */
  export interface RefusalReject {
    tag: 'reject',
    val: string,
  }
  export interface Undone {
    seq: number,
    why: Refusal,
  }
  /**
   * Why settings cannot be used.
   */
  export interface Misconfiguration {
    /**
     * The setting at fault, dotted where nested; absent where it is no single
     * one. The host adds where the user wrote it.
     */
    key?: string | null,
    /**
     * A fragment that follows the key and a colon, e.g.
     * `unknown setting; did you mean "url"?`.
     */
    problem: string,
  }
  /**
   * What a sink has to be granted to do its work.
   */
  export type Need = NeedHttp | NeedRead | NeedWrite;
  /**
   * `scheme://host:port`, with `ws` or `wss` for `websocket`.
   */
  export interface NeedHttp {
    tag: 'http',
    val: string,
  }
  /**
   * A folder, as the settings name it; it is preopened under that name.
   */
  export interface NeedRead {
    tag: 'read',
    val: string,
  }
  /**
   * Likewise, to be changed; made where it is missing.
   */
  export interface NeedWrite {
    tag: 'write',
    val: string,
  }
}
