import assert from "node:assert/strict";
import { EXEC_PATH, failureOf, KEPT_BYTES, run } from "../../../src/system/exec.ts";
import { until } from "../../lab/lab.ts";

const SOON = { timeoutMs: 400 };
const PATIENT = { timeoutMs: 20_000 };

Deno.test("run gives exit status and both outputs", async () => {
  const result = await run(["sh", "-c", "echo out; echo err >&2; exit 3"], PATIENT);
  assert.deepEqual(result, { code: 3, stdout: "out\n", stderr: "err\n", timedOut: false });
});

Deno.test("run passes arguments as they are, without a shell", async () => {
  const result = await run(["printf", "%s|", "a b", "$(id)", "*", "; true"], PATIENT);
  assert.equal(result.stdout, "a b|$(id)|*|; true|");
});

Deno.test("run gives a fixed PATH and nothing of the caller's environment", async () => {
  Deno.env.set("PORTSNARE_TEST_SECRET", "1");
  const result = await run(["env"], { ...PATIENT, env: { ASKED: "yes", PATH: "/nowhere" } });
  const names = result.stdout.trim().split("\n").filter((line) => line !== "").sort();
  assert.deepEqual(names, ["ASKED=yes", "LC_ALL=C", `PATH=${EXEC_PATH}`]);
});

Deno.test("run feeds standard input, also to a command that does not read it", async () => {
  assert.equal((await run(["cat"], { ...PATIENT, stdin: "héllo\n" })).stdout, "héllo\n");
  assert.equal((await run(["true"], { ...PATIENT, stdin: "x".repeat(1 << 20) })).code, 0);
  assert.equal((await run(["cat"], PATIENT)).stdout, "", "without text the input is empty");
});

Deno.test("run answers for a program that cannot be started", async () => {
  for (
    const [argv, code, why] of [
      [["no-such-program-here"], 127, "not-found"],
      [["/no/such/program"], 127, "not-found"],
      [["/etc/passwd"], 126, "not-executable"],
      [["true", "a\0b"], 126, "cannot-start"],
      [[], 127, "not-found"],
    ] as const
  ) {
    const result = await run(argv, PATIENT);
    assert.deepEqual([result.code, result.notStarted], [code, why], argv.join(" "));
    assert.notEqual(failureOf(result), undefined);
  }
});

Deno.test("run names the signal that ended the command", async () => {
  const result = await run(["sh", "-c", "kill -SEGV $$"], PATIENT);
  assert.deepEqual([result.code, result.signal, result.timedOut], [139, "SIGSEGV", false]);
});

Deno.test("run ends a command whose time is over, with everything that it forked", async () => {
  const name = `0.${Deno.pid}61`;
  const script = `(sleep 999${name} & sleep 999${name}) & sleep 999${name}`;
  const result = await run(["sh", "-c", script], SOON);
  assert.equal(result.timedOut, true);
  assert.match(failureOf(result) ?? "", /time limit/);
  await until("no process of the group is left", async () => !(await running(`sleep 999${name}`)));
});

Deno.test("run ends a command that ignores SIGTERM, and its children that do", async () => {
  const name = `0.${Deno.pid}62`;
  const script =
    `trap '' TERM; (trap '' TERM; sleep 998${name}; sleep 998${name}) & sleep 998${name}; sleep 998${name}`;
  const result = await run(["sh", "-c", script], SOON);
  assert.deepEqual([result.timedOut, result.signal], [true, "SIGKILL"]);
  await until("no process of the group is left", async () => !(await running(`sleep 998${name}`)));
});

Deno.test("run keeps a bounded part of endless output", async () => {
  const before = Deno.memoryUsage().rss;
  const result = await run(["sh", "-c", "head -c 1073741824 /dev/zero | tr '\\0' x"], { timeoutMs: 120_000 });
  assert.deepEqual([result.code, result.timedOut], [0, false]);
  assert.equal(result.stdout.length, KEPT_BYTES);
  const grown = Deno.memoryUsage().rss - before;
  assert.ok(grown < 256 * 1024 * 1024, `a gigabyte of output cost ${grown} bytes`);
});

Deno.test("run keeps as much as the caller asked for", async () => {
  const script = "head -c 300000 /dev/zero | tr '\\0' x; echo é >&2";
  const result = await run(["sh", "-c", script], { ...PATIENT, keepBytes: 200_000 });
  assert.deepEqual([result.stdout.length, result.stderr], [200_000, "é\n"]);
});

Deno.test("run does not wait for what a finished command left in the background", async () => {
  const name = `0.${Deno.pid}63`;
  const result = await run(["sh", "-c", `sleep 60${name} & echo $!`], PATIENT);
  const pid = Number(result.stdout);
  assert.deepEqual([result.code, result.timedOut], [0, false]);
  assert.equal(await running(`sleep 60${name}`), true, "it goes on");
  Deno.kill(pid, "SIGKILL");
});

Deno.test("failureOf gives one bounded line", () => {
  const base = { code: 0, stdout: "", stderr: "", timedOut: false };
  assert.equal(failureOf(base), undefined);
  assert.equal(failureOf({ ...base, stderr: "a warning" }), undefined);
  assert.equal(failureOf({ ...base, code: 4 }), "exit status 4");
  assert.equal(failureOf({ ...base, code: 4, stderr: "\n  why\nmore" }), "exit status 4: why");
  assert.equal(failureOf({ ...base, code: 137, signal: "SIGKILL" }), "ended by SIGKILL");
  assert.equal(failureOf({ ...base, code: 1, stderr: "x".repeat(9999) })?.length, 415);
});

/** Whether any process has this text in its command line (the shell that started it included). */
async function running(text: string): Promise<boolean> {
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    try {
      const line = (await Deno.readTextFile(`/proc/${entry.name}/cmdline`)).replaceAll("\0", " ").trim();
      if (line === text) return true;
    } catch {
      // It ended while the list was read.
    }
  }
  return false;
}
