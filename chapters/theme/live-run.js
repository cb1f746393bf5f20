// Runs the scheduler of stage 04 (`live/`, compiled to WebAssembly) with the decisions of a reader.
(() => {
"use strict";

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (it) => it.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// What a program may ask of a system. Its clock begins at zero and stands still, and what is random
// is always the same: so the same decisions make the same recording. 0 is success.
function system(memory) {
  const number = (at, value) => new DataView(memory().buffer).setUint32(at, value, true);
  const known = {
    clock_time_get: (id, precision, at) => {
      new DataView(memory().buffer).setBigUint64(at, 0n, true);
      return 0;
    },
    random_get: (at, length) => {
      new Uint8Array(memory().buffer, at, length).fill(7);
      return 0;
    },
    environ_sizes_get: (count, size) => {
      number(count, 0);
      number(size, 0);
      return 0;
    },
    environ_get: () => 0,
  };
  const NOT_SUPPORTED = 58;
  return (name) => known[name] ?? (() => NOT_SUPPORTED);
}

async function load(base64) {
  const module = await WebAssembly.compile(await unpacked(base64));
  // Each question has a program of its own, which begins anew.
  function ask(question) {
    let memory;
    const call = system(() => memory);
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = call(name);
    }
    const { exports } = new WebAssembly.Instance(module, imports);
    ({ memory } = exports);
    exports._initialize?.();
    const length = question(exports, (text) => {
      const bytes = new TextEncoder().encode(text);
      const at = exports.room(bytes.length);
      new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
    });
    return new TextDecoder().decode(new Uint8Array(memory.buffer, exports.answer(), length));
  }
  return {
    play: (scenario) => ask((program, write) => {
      write(scenario);
      return program.play();
    }),
    practise: (seed) => ask((program) => program.practice(seed)),
  };
}

globalThis.LiveRun = { load };
})();
