import assert from "node:assert/strict";
import { DENO } from "../lab/deno.ts";
import { until } from "../lab/lab.ts";

const ENCLOSURE = new URL("../../bench/enclosure.ts", import.meta.url).href;
/** Leaves behind, if it can: a network namespace, a mount, a file, a control group, a process of another session. */
const UNTIDY = `
  set -e
  ip netns add "$2"
  mkdir "$TMPDIR/mount"
  mount -t tmpfs tmpfs "$TMPDIR/mount"
  for root in /sys/fs/cgroup/cpuacct /sys/fs/cgroup; do
    [ -e "$root/cgroup.procs" ] || continue
    mkdir "$root/$PORTSNARE_BENCH_GROUPS-0"
    break
  done
  setsid sleep "$3" </dev/null >/dev/null 2>&1 &
  echo $! >"$root/$PORTSNARE_BENCH_GROUPS-0/cgroup.procs"
  echo "$TMPDIR $root/$PORTSNARE_BENCH_GROUPS-0" >"$1"
  eval "$4"
`;

/** Runs the untidy program enclosed, in a process that can be sent signals, until it has made everything. */
async function untidy(end: string) {
  const said = await Deno.makeTempFile({ prefix: "portsnare-test-" });
  const namespace = `psnenc${Deno.pid}`;
  // Tells its process from everybody else's.
  const nap = `${10_000 + Deno.pid}.5`;
  const argv = ["/bin/sh", "-c", UNTIDY, "sh", said, namespace, nap, end];
  const script = `import { enclosed } from ${JSON.stringify(ENCLOSURE)};` +
    `Deno.exitCode = await enclosed(${JSON.stringify(argv)});`;
  const child = new Deno.Command(DENO, { args: ["eval", script], stdin: "null" }).spawn();
  const [directory = "", group = ""] = await until("everything is made", async () => {
    const text = (await Deno.readTextFile(said)).trim();
    return text !== "" && text.split(" ");
  });
  await Deno.remove(said);
  return {
    child,
    directory,
    group,
    /** What the kernel has to take away. */
    living: () => [
      ...processes().filter((command) => command.includes(nap)),
      ...names("/run/netns").filter((name) => name === namespace),
      ...Deno.readTextFileSync("/proc/self/mounts").split("\n").filter((line) => line.includes(directory)),
    ],
  };
}

function processes(): readonly string[] {
  return names("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
    } catch {
      // It has ended in between.
      return "";
    }
  });
}

function names(directory: string): readonly string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function assertGone(path: string): void {
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound, `${path} was left`);
}

for (
  const { how, end, signal, code } of [
    { how: "ended with an error", end: "exit 3", signal: undefined, code: 3 },
    { how: "was interrupted", end: "sleep 600", signal: "SIGINT", code: 130 },
    { how: "was told to end", end: "sleep 600", signal: "SIGTERM", code: 143 },
  ] as const
) {
  Deno.test(`enclosed leaves nothing behind of a program that ${how}`, async () => {
    const { child, directory, group, living } = await untidy(end);
    if (signal !== undefined) child.kill(signal);
    assert.equal((await child.status).code, code);
    assert.deepEqual(living(), []);
    assertGone(directory);
    assertGone(group);
  });
}

Deno.test("enclosed leaves nothing running when it is killed itself", async () => {
  const { child, directory, group, living } = await untidy("sleep 600");
  assert.notEqual(living().length, 0);
  child.kill("SIGKILL");
  await child.status;
  await until("everything of it has ended", () => living().length === 0);
  // Nobody is left to do this.
  await until("the control group is empty", () => Deno.readTextFileSync(`${group}/cgroup.procs`) === "");
  await Deno.remove(group);
  await Deno.remove(directory, { recursive: true });
});
