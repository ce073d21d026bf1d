/**
 * Writes a bundled program as one executable file, with the runtime that runs this script.
 * @module
 */
import { UserError } from "../../src/errors.ts";
import { attachProgram } from "./patch.ts";

const SOURCES = new URL(".", import.meta.url).pathname;

/**
 * How the runtime runs the program. Everything is allowed: the program is all that ever runs in it, and a process that
 * may call C functions gains nothing from the runtime's own permission checks; systemd's sandbox is the real one.
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
 * @param path What is there is replaced, also when it is running.
 * @param program One JavaScript module that imports nothing but what is built into Deno.
 */
export async function writeExecutable(path: string, program: Uint8Array): Promise<void> {
  const executable = attachProgram(await Deno.readFile(Deno.execPath()), {
    stub: await buildStub(),
    program,
    arguments: ["portsnare", "run", ...RUNTIME_FLAGS],
  });
  const fresh = `${path}.new`;
  await Deno.writeFile(fresh, executable, { mode: 0o755 });
  await Deno.rename(fresh, path);
}

async function buildStub(): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-stub-" });
  try {
    const image = `${directory}/stub.bin`;
    await compileStub(image);
    return await Deno.readFile(image);
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
