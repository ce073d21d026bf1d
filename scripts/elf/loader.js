/**
 * What the runtime of the executable is given to run: starts the program that stands at the end of the file.
 *
 * The runtime takes every module apart with a parser of its own before V8 sees it, which takes a bundle of this size
 * 100 ms and 50 MB. A script goes straight to V8, along with what V8 made of it when the executable was built.
 * @module
 */
import process from "node:process";
import vm from "node:vm";

/** The sizes of program and code cache, in bytes, 32 bits each, little-endian; see executable.ts. */
const TRAILER_BYTES = 8;

function read(file, position, size) {
  const bytes = new Uint8Array(size);
  file.seekSync(position, Deno.SeekMode.Start);
  for (let done = 0; done < size;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) throw new Error("The executable ends too early");
    done += count;
  }
  return bytes;
}

function load() {
  // Not by its name: the file may have been replaced since the process started.
  using file = Deno.openSync("/proc/self/exe");
  const end = file.statSync().size - TRAILER_BYTES;
  const trailer = new DataView(read(file, end, TRAILER_BYTES).buffer);
  const [programBytes, cacheBytes] = [trailer.getUint32(0, true), trailer.getUint32(4, true)];
  const program = new TextDecoder().decode(read(file, end - cacheBytes - programBytes, programBytes));
  // V8 looks whether it made this itself, with the same settings, and compiles the program otherwise.
  const cachedData = read(file, end - cacheBytes, cacheBytes);
  return new vm.Script(program, { filename: "portsnare.js", cachedData });
}

const script = load();
const module = { exports: {}, isFromCache: script.cachedDataRejected === false };
script.runInThisContext()(process.getBuiltinModule, module, module.exports);
process.exit(await module.exports.main(Deno.args));
