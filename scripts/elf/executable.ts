/**
 * Writes a bundled program as one executable file, with the runtime that runs this script.
 * @module
 */
import { UserError } from "../../src/errors.ts";
import { attachProgram } from "./patch.ts";

const SOURCES = new URL(".", import.meta.url).pathname;

/**
 * How the runtime runs the program. Everything is allowed: the runtime opens /proc to nothing less, the program is all
 * that ever runs in it, and a process that may call C functions gains nothing from the runtime's own permission checks;
 * systemd's sandbox is the real one.
 * The rest keeps it from looking for files (configuration, lock file, packages) in whatever directory it is started in.
 */
const RUNTIME_FLAGS = [
  "--allow-all",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-check",
  "--no-code-cache",
  // The memory file has no extension, and without one the program would be taken for TypeScript and compiled.
  "--ext=js",
] as const;

/**
 * Write an executable.
 *
 * Behind the runtime stand the program, V8's code cache of it, and their sizes: see loader.js.
 *
 * @param path What is there is replaced, also when it is running.
 * @param program A CommonJS script that requires nothing but what is built into Deno, and exports `main`, which takes
 *   the arguments and resolves to the exit code.
 */
export async function writeExecutable(path: string, program: string): Promise<void> {
  const executable = attachProgram(await Deno.readFile(Deno.execPath()), {
    stub: await buildStub(),
    program: await Deno.readFile(`${SOURCES}loader.js`),
    arguments: ["portsnare", "run", ...RUNTIME_FLAGS],
  });
  // Outside of ASCII every character would take V8 two bytes.
  const ascii = program.replace(
    /[^\0-\x7f]/g,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const script = new TextEncoder().encode(
    `(function (require, module, exports) { "use strict"; ${ascii}\n})`,
  );
  const cache = await compileScript(script);
  const sizes = new Uint8Array(8);
  const view = new DataView(sizes.buffer);
  view.setUint32(0, script.length, true);
  view.setUint32(4, cache.length, true);
  const fresh = `${path}.new`;
  await Deno.writeFile(fresh, executable, { mode: 0o755 });
  for (const part of [script, cache, sizes]) await Deno.writeFile(fresh, part, { append: true });
  await Deno.rename(fresh, path);
}

/**
 * V8's code cache, made by the runtime with the flags that it has in the executable: V8 takes no other. The program is
 * not run for it: that would save 20 ms more at each start, but no two builds would be the same.
 */
async function compileScript(script: Uint8Array): Promise<Uint8Array> {
  return await withDirectory(async (directory) => {
    const [program, cache] = [`${directory}/program`, `${directory}/cache`];
    await Deno.writeFile(program, script);
    const args = ["run", ...RUNTIME_FLAGS, `${SOURCES}code_cache.js`, program, cache];
    const env = { DENO_DIR: "/dev/null", DENO_LOG: "error,deno::cache=off", DENO_NO_UPDATE_CHECK: "1" };
    const output = await new Deno.Command(Deno.execPath(), { args, env, stdin: "null" }).output();
    if (output.success) return await Deno.readFile(cache);
    throw new UserError(`The program could not be compiled:\n${new TextDecoder().decode(output.stderr)}`);
  });
}

async function buildStub(): Promise<Uint8Array> {
  return await withDirectory(async (directory) => {
    const image = `${directory}/stub.bin`;
    await compileStub(image);
    return await Deno.readFile(image);
  });
}

async function withDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-build-" });
  try {
    return await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function compileStub(image: string): Promise<void> {
  const args = [
    ...["-std=c11", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Werror"],
    ...["-ffreestanding", "-fPIE", "-fno-stack-protector", "-fcf-protection=none"],
    // Without these, gcc would call memcpy, or write tables, that the image does not have.
    ...["-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables"],
    ...["-nostdlib", "-Wl,--build-id=none,-z,noexecstack,-T,stub.ld,--oformat=binary"],
    ...["-include", "stub.h", "stub_entry.S", "stub.c", "-o", image],
  ];
  const output = await new Deno.Command("gcc", { args, cwd: SOURCES, stdin: "null" }).output();
  if (!output.success) {
    throw new UserError(
      `gcc could not build scripts/elf/stub.c:\n${new TextDecoder().decode(output.stderr)}`,
    );
  }
}
