/**
 * Builds `dist/portsnare`, one executable, from the sources.
 *
 * Two ways lead there. `deno compile` needs `denort`, a runtime made for that purpose, which Deno downloads; when it is
 * neither cached nor named by DENORT_BIN, the runtime that runs this very script is patched instead (`elf/patch.ts`).
 * @module
 */
import { messageOf, UserError } from "../src/errors.ts";
import { VERSION } from "../src/version.ts";
import { writeExecutable } from "./elf/executable.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const DIST = `${ROOT}dist`;
const BUNDLE = `${DIST}/portsnare.js`;
const EXECUTABLE = `${DIST}/portsnare`;

async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const output = await new Deno.Command(command, {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  if (output.success) return text;
  const why = new TextDecoder().decode(output.stderr).trim();
  throw new UserError(`${command} ${args.join(" ")} failed with ${output.code}: ${why}`);
}

/** Everything in one file, readable, so that a stack trace from somebody's host can be read. */
async function bundle(build: string, format: "esm" | "cjs"): Promise<string> {
  const options = ["--quiet", "--platform", "deno", "--format", format, "--output", BUNDLE];
  await run(Deno.execPath(), ["bundle", ...options, "src/main.ts"]);
  // Where the packages lie on this machine is in comments; two machines must build the same.
  const source = (await Deno.readTextFile(BUNDLE)).replace(/^\/\/ \S*\/npm\/[^/]+\//gm, "// npm:");
  const marks = source.split('BUILD = "source"');
  if (marks.length !== 2) {
    throw new UserError(`Cannot mark the build: BUILD = "source" is ${marks.length - 1} times in ${BUNDLE}`);
  }
  const marked = marks.join(`BUILD = ${JSON.stringify(build)}`);
  await Deno.writeTextFile(BUNDLE, marked);
  return marked;
}

/** The runtime of `deno compile`: named, or downloaded earlier by the same Deno; `undefined` if there is none. */
async function compileRuntime(): Promise<Record<string, string> | undefined> {
  const named = Deno.env.get("DENORT_BIN");
  if (named !== undefined) return { DENORT_BIN: named };
  const info: unknown = JSON.parse(await run(Deno.execPath(), ["info", "--json"]));
  // `deno info --json` prints an object; its shape is checked here.
  const directory = (info as { readonly denoDir?: unknown }).denoDir;
  const archive = `${directory}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  const cached = await Deno.stat(archive).then((found) => found.isFile, () => false);
  return cached ? {} : undefined;
}

async function compile(env: Record<string, string>): Promise<void> {
  const flags = ["--allow-all", "--no-prompt", "--no-config", "--no-lock", "--cached-only", "--no-check"];
  await run(Deno.execPath(), ["compile", "--quiet", ...flags, "--output", EXECUTABLE, BUNDLE], env);
}

/** A runtime that cannot carry a program starts all the same, and does something else. */
async function checkVersion(build: string): Promise<void> {
  const expected = `portsnare ${VERSION} (${build})`;
  const printed = (await run(EXECUTABLE, ["--version"])).trim();
  if (printed !== expected) {
    throw new UserError(`${EXECUTABLE} --version prints ${JSON.stringify(printed)} instead of ${expected}`);
  }
}

async function main(): Promise<void> {
  await Deno.mkdir(DIST, { recursive: true });
  const compiler = await compileRuntime();
  const build = `deno ${Deno.version.deno}, ${compiler === undefined ? "patched" : "compiled"}`;
  const program = await bundle(build, compiler === undefined ? "cjs" : "esm");
  await (compiler === undefined ? writeExecutable(EXECUTABLE, program) : compile(compiler));
  await checkVersion(build);
  const megabytes = (await Deno.stat(EXECUTABLE)).size / 1e6;
  console.log(`dist/portsnare: portsnare ${VERSION} (${build}), ${megabytes.toFixed(1)} MB`);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(`build: ${messageOf(error)}`);
    Deno.exit(error instanceof UserError ? error.exitCode : 70);
  }
}
