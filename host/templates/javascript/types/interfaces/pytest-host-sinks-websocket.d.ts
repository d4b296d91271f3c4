declare module 'pytest-host:sinks/websocket@0.1.0' {
  /**
   * Sends text messages in order, and returns once the server has answered a ping sent behind the last one: it
   * has read them all then. `greeting` is sent first on each new connection. One connection is kept for a URL.
   */
  export function send(url: string, greeting: Array<string>, messages: Array<string>): void;
  export type Error = ErrorDenied | ErrorUnreachable | ErrorLost | ErrorInvalid;
  /**
   * Not among the sink's grants.
   */
  export interface ErrorDenied {
    tag: 'denied',
    val: string,
  }
  /**
   * There is no connection, and nothing of this call was sent.
   */
  export interface ErrorUnreachable {
    tag: 'unreachable',
    val: string,
  }
  /**
   * The connection ended, or the server did not answer in time.
   */
  export interface ErrorLost {
    tag: 'lost',
    val: string,
  }
  export interface ErrorInvalid {
    tag: 'invalid',
    val: string,
  }
  export interface Undelivered {
    /**
     * How many of the call's messages the server has read for certain; of those behind them nothing is known.
     */
    delivered: number,
    why: Error,
  }
}
