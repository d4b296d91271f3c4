/// <reference path="./interfaces/pytest-host-sinks-events.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-http.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-log.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-sink.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-state.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-topics.d.ts" />
/// <reference path="./interfaces/pytest-host-sinks-websocket.d.ts" />
/// <reference path="./interfaces/wasi-clocks-wall-clock.d.ts" />
/// <reference path="./interfaces/wasi-filesystem-preopens.d.ts" />
/// <reference path="./interfaces/wasi-filesystem-types.d.ts" />
/// <reference path="./interfaces/wasi-io-error.d.ts" />
/// <reference path="./interfaces/wasi-io-poll.d.ts" />
/// <reference path="./interfaces/wasi-io-streams.d.ts" />
declare module 'pytest-host:sinks/sink-guest-files@0.1.0' {
  export type * as PytestHostSinksEvents010 from 'pytest-host:sinks/events@0.1.0'; // import pytest-host:sinks/events@0.1.0
  export type * as PytestHostSinksHttp010 from 'pytest-host:sinks/http@0.1.0'; // import pytest-host:sinks/http@0.1.0
  export type * as PytestHostSinksLog010 from 'pytest-host:sinks/log@0.1.0'; // import pytest-host:sinks/log@0.1.0
  export type * as PytestHostSinksState010 from 'pytest-host:sinks/state@0.1.0'; // import pytest-host:sinks/state@0.1.0
  export type * as PytestHostSinksTopics010 from 'pytest-host:sinks/topics@0.1.0'; // import pytest-host:sinks/topics@0.1.0
  export type * as PytestHostSinksWebsocket010 from 'pytest-host:sinks/websocket@0.1.0'; // import pytest-host:sinks/websocket@0.1.0
  export type * as WasiClocksWallClock0212 from 'wasi:clocks/wall-clock@0.2.12'; // import wasi:clocks/wall-clock@0.2.12
  export type * as WasiFilesystemPreopens0212 from 'wasi:filesystem/preopens@0.2.12'; // import wasi:filesystem/preopens@0.2.12
  export type * as WasiFilesystemTypes0212 from 'wasi:filesystem/types@0.2.12'; // import wasi:filesystem/types@0.2.12
  export type * as WasiIoError0212 from 'wasi:io/error@0.2.12'; // import wasi:io/error@0.2.12
  export type * as WasiIoPoll0212 from 'wasi:io/poll@0.2.12'; // import wasi:io/poll@0.2.12
  export type * as WasiIoStreams0212 from 'wasi:io/streams@0.2.12'; // import wasi:io/streams@0.2.12
  export * as sink from 'pytest-host:sinks/sink@0.1.0'; // export pytest-host:sinks/sink@0.1.0
}
