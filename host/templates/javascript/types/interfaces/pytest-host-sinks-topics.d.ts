declare module 'pytest-host:sinks/topics@0.1.0' {
  export function publish(topic: string, message: string): void;
}
