/// <reference path="./pytest-host-sinks-events.d.ts" />
declare module 'pytest-host:sinks/http@0.1.0' {
  /**
   * Returns one result a request, in the order of `requests`, when all have
   * ended. At most `in-flight` are under way at once, and no more than the
   * host allows. Redirects are returned, not followed.
   */
  export function send(requests: Array<Request>, inFlight: number): Array<Result<Response, Error>>;
  export type Seconds = import('pytest-host:sinks/events@0.1.0').Seconds;
  export interface Request {
    method: string,
    url: string,
    headers: Array<[string, string]>,
    body: Uint8Array,
    /**
     * Requests with equal keys are sent one after another, in list order.
     */
    key?: string | null,
    timeout?: Seconds | null,
  }
  export interface Response {
    status: number,
    headers: Array<[string, string]>,
    body: Uint8Array,
  }
  export type Error = ErrorDenied | ErrorUnreachable | ErrorTimedOut | ErrorTooLarge | ErrorInvalid;
  /**
   * Not among the sink's grants.
   */
  export interface ErrorDenied {
    tag: 'denied',
    val: string,
  }
  export interface ErrorUnreachable {
    tag: 'unreachable',
    val: string,
  }
  export interface ErrorTimedOut {
    tag: 'timed-out',
  }
  export interface ErrorTooLarge {
    tag: 'too-large',
    val: number,
  }
  export interface ErrorInvalid {
    tag: 'invalid',
    val: string,
  }
  export type Result<T, E> = { tag: 'ok', val: T } | { tag: 'err', val: E };
}
