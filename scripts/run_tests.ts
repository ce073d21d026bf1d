/**
 * Runs the tests: those of tests/unit together, then each file of tests/e2e in a process of its own, several at a time.
 *
 * Every file of tests/e2e works in network namespaces of its own, named after its process, so that they do not meet.
 *
 *     deno run -A scripts/run_tests.ts [FILE or DIRECTORY]...
 *
 * The last line says how many tests passed and failed. A file without a test is a failure; so is a skipped test where
 * CI=true.
 */
import { isBad, summarize, type Summary, totalLine } from "./test_summary.ts";

/** One process of `deno test`. */
interface Run {
  readonly name: string;
  readonly files: readonly string[];
  readonly options: readonly string[];
}

const ROOT = new URL("..", import.meta.url).pathname;
/** No file takes longer than this; a run that hangs must end, and say which it was. */
const MAX_SECONDS = 900;
const JOBS = Math.min(4, navigator.hardwareConcurrency);
const STRICT = Deno.env.get("CI") === "true";
/** Those that take longest begin first, so that no processor waits for the last one at the end. */
const LONGEST: readonly string[] = [
  "tests/e2e/deb_bullseye_test.ts",
  "tests/e2e/innocents_test.ts",
  "tests/e2e/scan_types_test.ts",
];
const SHOWN_SLOW = 10;

Deno.chdir(ROOT);
const files =
  (await Promise.all((Deno.args.length > 0 ? Deno.args : ["tests/unit", "tests/e2e"]).map(testFiles))).flat();
const reports = await Deno.makeTempDir({ prefix: "portsnare-tests-" });
const together = files.filter(mayShareProcess);
const alone = files.filter((file) => !mayShareProcess(file)).toSorted((a, b) => rank(a) - rank(b));
const summaries: Summary[] = [];
const seconds = new Map<string, number>();

if (together.length > 0) await carryOut({ name: "tests/unit", files: together, options: ["--parallel"] });
const waiting = alone.map((file): Run => ({ name: file, files: [file], options: [] }));
await Promise.all(Array.from({ length: JOBS }, async () => {
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) await carryOut(run);
}));
await Deno.remove(reports, { recursive: true });
tell();

async function carryOut(run: Run): Promise<void> {
  const began = performance.now();
  const junitPath = `${reports}/${run.name.replaceAll("/", "-")}.xml`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--frozen", "--cached-only", "--no-check", "-A", `--junit-path=${junitPath}`],
      ...run.options,
      ...run.files,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(MAX_SECONDS * 1000),
  }).spawn();
  const [{ code }, stdout, stderr] = await Promise.all([
    child.status,
    text(child.stdout),
    text(child.stderr),
  ]);
  const junit = await Deno.readTextFile(junitPath).catch(() => "");
  const summary = summarize(run.name, { code, output: stdout, junit, files: run.files });
  summaries.push(summary);
  seconds.set(run.name, (performance.now() - began) / 1000);
  if (isBad(summary, STRICT)) console.log(`\n---- ${run.name}\n${stdout}${stderr}`);
  const state = isBad(summary, STRICT) ? "FAILED" : "ok";
  console.log(`${state.padEnd(6)} ${duration(run.name)}  ${totalLine([summary])}  ${run.name}`);
}

async function text(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}

async function testFiles(path: string): Promise<readonly string[]> {
  const clean = path.replace(/\/+$/, "");
  const info = await Deno.stat(clean).catch(() => {
    console.error(`There is no ${clean}`);
    Deno.exit(2);
  });
  if (info.isFile) return [clean];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(clean)) {
    if (isDirectory) found.push(...await testFiles(`${clean}/${name}`));
    else if (name.endsWith("_test.ts")) found.push(`${clean}/${name}`);
  }
  return found.toSorted();
}

/**
 * Unit tests run in threads of one process, but for those that count its descriptors or change what all threads share:
 * environment, umask, working directory.
 */
function mayShareProcess(file: string): boolean {
  return file.startsWith("tests/unit/") &&
    !/proc\/self\/fd|lab\/descriptors|Deno\.(env\.set|umask|chdir)\(/.test(Deno.readTextFileSync(file));
}

function rank(file: string): number {
  const place = LONGEST.indexOf(file);
  return place < 0 ? LONGEST.length : place;
}

function duration(name: string): string {
  return `${Math.round(seconds.get(name) ?? 0)} s`.padStart(5);
}

function tell(): never {
  const slowest = [...seconds.keys()].toSorted((a, b) => (seconds.get(b) ?? 0) - (seconds.get(a) ?? 0));
  console.log(`\nWhere the time went (${JOBS} at a time):`);
  for (const name of slowest.slice(0, SHOWN_SLOW)) console.log(`  ${duration(name)}  ${name}`);
  const bad = summaries.filter((summary) => isBad(summary, STRICT));
  if (bad.length > 0) console.log("\nWhat failed:");
  for (const { name, failed, skipped, faults } of bad) {
    const what = [
      ...faults,
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ];
    console.log(`  ${name}: ${what.join("; ")}`);
  }
  if (files.length === 0) console.log("\nThere is nothing to run");
  console.log(`\n${totalLine(summaries)}`);
  Deno.exit(bad.length === 0 && files.length > 0 ? 0 : 1);
}
