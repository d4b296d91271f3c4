/// <reference path="./pytest-host-sinks-events.d.ts" />
declare module 'pytest-host:sinks/log@0.1.0' {
  export function write(level: Level, message: string): void;
  export type Level = import('pytest-host:sinks/events@0.1.0').Level;
}
