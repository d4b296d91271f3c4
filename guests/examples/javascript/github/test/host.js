// Stands in for the host in tests: what a sink imports of it, in memory.

import { register } from 'node:module';

class Host {
  constructor() {
    this.reset();
  }

  reset() {
    this.values = new Map();
    this.files = {};
    this.requests = [];
    this.logged = [];
    this.published = [];
    this.answer = { tag: 'ok', val: { status: 200, headers: [], body: new Uint8Array() } };
  }

  /** A folder of wasi:filesystem, as far as `writeFile` needs one. */
  folder(name) {
    return {
      openAt: (_flags, file) => ({
        write: (bytes, offset) => {
          const path = `${name}/${file}`;
          const before = offset === 0 ? '' : this.files[path];
          this.files[path] = before + new TextDecoder().decode(bytes);
          return bytes.length;
        },
      }),
    };
  }
}

export const host = (globalThis.sinkHost ??= new Host());

const modules = {
  'pytest-host:sinks/log': 'export const write = (level, text) => host.logged.push([level, text]);',
  'pytest-host:sinks/state': `
    export const get = (key) => host.values.get(key);
    export const set = (key, value) => void host.values.set(key, value);
    const remove = (key) => void host.values.delete(key);
    export { remove as delete };`,
  'pytest-host:sinks/topics': 'export const publish = (...said) => host.published.push(said);',
  'pytest-host:sinks/http': `
    export const send = (requests) => requests.map((request) => {
      host.requests.push(request);
      return host.answer;
    });`,
  'wasi:filesystem/preopens': `
    export const getDirectories = () => [[host.folder('github'), 'github']];`,
};

// Resolves what only the host has.
register(
  'data:text/javascript,' +
    encodeURIComponent(`
    const modules = ${JSON.stringify(modules)};
    export function resolve(specifier, context, next) {
      const source = modules[specifier.split('@')[0]];
      if (!source) return next(specifier, context);
      const text = 'const host = globalThis.sinkHost;' + source;
      return { url: 'data:text/javascript,' + encodeURIComponent(text), shortCircuit: true };
    }`),
);
