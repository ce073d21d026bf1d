/** The host runs out of things, stands still, or loses its log: the daemon goes on. @module */
import assert from "node:assert/strict";
import { configText, Daemon } from "../lab/daemon.ts";
import { type Host, Lab, run, until } from "../lab/lab.ts";
import { Machine } from "../lab/machine.ts";
import { RawSender } from "../lab/raw_sender.ts";
import { ShiftedClock } from "../lab/shifted_clock.ts";
import { bannedInKernel, banOf, BLOCKING, forge, holdings, scan } from "../lab/siege.ts";

const TCP = 6;

Deno.test("out of descriptors: the daemon neither dies nor loses a ban, and goes on when there are some again", async () => {
  await using lab = await Lab.create();
  const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  scan(first, target.ipv4);
  await banOf(daemon, first.ipv4);
  const pid = daemon.process.pid;
  const { descriptors } = await holdings(pid);
  const limit = (number: number) => run(["prlimit", "--pid", String(pid), `--nofile=${number}:`]);
  assert.equal((await limit(descriptors)).code, 0);
  // Each of these needs a descriptor: a client, a scan that is written down, the ruleset put back by nft.
  const waiting = daemon.cli("status");
  await target.out(["nft", "flush", "ruleset"]);
  scan(second, target.ipv4);
  await daemon.line(
    "it says that it could not be put back",
    (line) => String(line["message"]).includes("could not be put back"),
  );
  await limit(1024);
  await waiting;
  await until("everything is back", async () => (await bannedInKernel(target)).includes(first.ipv4), 10);
  await until("clients are served again", async () => (await daemon.cli("status")).code === 0);
  scan(second, target.ipv4);
  await banOf(daemon, second.ipv4);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("suspended: while the daemon stands still the kernel holds scanners up, and they are banned when it goes on", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: { ...BLOCKING, block: { quarantine: "30s" } } });
  daemon.process.kill("SIGSTOP");
  scan(scanner, target.ipv4, 500, 100);
  assert.match(await target.out(["nft", "list", "set", "inet", "portsnare", "quarantined4"]), /10\.77\.0\.2/);
  assert.deepEqual(await bannedInKernel(target), []);
  daemon.process.kill("SIGCONT");
  await banOf(daemon, scanner.ipv4);
});

Deno.test("the clock is set two days ahead and three back: bans last as long as they should, and new ones are made", async () => {
  await using clock = await ShiftedClock.create();
  await using lab = await Lab.create();
  const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
  const config = { ...BLOCKING, block: { duration: "1h", factor: 1 } };
  const day = 86_400;
  const leftOf = async (daemon: Daemon, address: string): Promise<number> => {
    const { stdout } = await daemon.cli("list", "--json");
    const lines = stdout.split("\n").filter((line) => line.includes(`"${address}"`));
    assert.equal(lines.length, 1, stdout);
    return JSON.parse(lines[0] ?? "").left;
  };
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  await using daemon = await Daemon.start(target, { config, env: clock.env, directory });
  scan(first, target.ipv4);
  await banOf(daemon, first.ipv4);
  clock.set(2 * day);
  assert.equal((await daemon.cli("block", "192.0.2.1", "--for", "3s")).code, 0);
  await daemon.line("it ends", (line) => line["type"] === "release" && line["target"] === "192.0.2.1", 15);
  const released = daemon.log.find((line) => line["type"] === "release");
  assert.ok(Number(released?.["time"]) > Date.now() / 1000 + day, "the daemon's clock was not set");
  assert.deepEqual(await bannedInKernel(target), [first.ipv4]);
  assert.ok(await leftOf(daemon, first.ipv4) > 3400);
  clock.set(-day);
  scan(second, target.ipv4);
  await banOf(daemon, second.ipv4);
  await daemon.stop("SIGKILL");
  await using again = await Daemon.start(target, { config, env: clock.env, directory });
  for (const { ipv4 } of [first, second]) {
    const left = await leftOf(again, ipv4);
    assert.ok(left > 3400 && left <= 3600, `${ipv4}: ${left} seconds are left`);
  }
  assert.equal(await again.stop(), 0);
});

Deno.test("a limit on memory: a flood from thousands of forged sources fits into 192 MiB, and a scan in it is caught", async () => {
  await using lab = await Lab.create();
  const [target, flooder, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, log: { burst: 1, level: "notice" } },
  });
  const { pid } = daemon.process;
  const limit = 192 * 1024 * 1024;
  await using _group = await MemoryGroup.around(pid, limit);
  const before = await holdings(pid);
  for (let i = 0; i < 4000; i++) {
    const source = `10.${120 + (i >> 8)}.${i & 255}.7`;
    forge(flooder, { source, dest: target.ipv4, ports: [1, 2, 3, 4, 5, 6, 7, 8] });
  }
  await until("the scanner is caught", () => {
    scan(scanner, target.ipv4);
    return daemon.about(scanner.ipv4, "block").length > 0;
  }, 30);
  const after = await holdings(pid);
  assert.ok(after.residentKb * 1024 < limit, `${after.residentKb} KiB resident, ${before.residentKb} before`);
  assert.ok(
    after.descriptors <= before.descriptors + 2,
    `${before.descriptors}, then ${after.descriptors} descriptors`,
  );
});

/** Two probes each, which is below the trigger, by so many sources: more lines than may wait for whoever reads the log. */
function chatter(from: Host, to: string, sources: number): void {
  from.inside(() => {
    using sender = new RawSender();
    for (let i = 0; i < sources; i++) {
      const source = `100.64.${i >> 8}.${i & 255}`;
      for (const destPort of [500, 501]) sender.send({ source, dest: to, protocol: TCP, destPort });
    }
  });
}

/** Every probe is a line. */
const TALKATIVE = {
  ...BLOCKING,
  // Otherwise the kernel holds the second probe of each up.
  block: { quarantine: "0s" },
} as const;

Deno.test("syslog dies and comes back: scanners are banned meanwhile, and what was to be said is there afterwards", async () => {
  await using lab = await Lab.create();
  const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  const daemon = await startWithSyslog(machine);
  scan(first, target.ipv4);
  await machine.heard(`Host ${first.ipv4} has been blocked`);
  machine.stopSyslog();
  scan(second, target.ipv4);
  await until("the ban", async () => (await bannedInKernel(target)).includes(second.ipv4));
  machine.startSyslog();
  await machine.heard(`Host ${second.ipv4} has been blocked`);
  assert.equal(machine.count("log lines were lost"), 0);
  assert.equal(await machine.stop(daemon), 0);
});

Deno.test("nobody reads syslog: its queue fills, scanners are banned all the same, and lost lines are counted and told", async () => {
  await using lab = await Lab.create();
  const [target, talker, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  const daemon = await startWithSyslog(machine);
  chatter(talker, target.ipv4, 1500);
  scan(scanner, target.ipv4);
  await until("the ban", async () => (await bannedInKernel(target)).includes(scanner.ipv4));
  const told = await machine.heard(/\d+ log lines were lost because nobody read them in time/, 30);
  const lost = Number(/(\d+) log lines/.exec(told)?.[1]);
  // What is left of the lines comes behind that one.
  await machine.heard(`Host ${scanner.ipv4} has been blocked`, 30);
  const said =
    machine.syslog().filter((line) => line.includes("attackalert: ") && line.includes(" 100.64.")).length;
  assert.ok(lost > 0 && said > 0, `${lost} lost, ${said} said`);
  assert.equal(await machine.stop(daemon), 0);
});

Deno.test("nobody reads the journal: scanners are banned all the same, and the daemon ends when it is told to", async () => {
  await using lab = await Lab.create();
  const [target, talker, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  const pipe = `${directory}/journal`;
  assert.equal((await run(["mkfifo", pipe])).code, 0);
  await using daemon = await Daemon.launch(target, {
    directory,
    config: TALKATIVE,
    // Open for reading as well, so that the pipe has a reader that never reads.
    within: ["sh", "-c", 'exec "$@" 1<>"$0"', pipe],
  });
  await until("the trap is there", async () => (await bannedInKernel(target)).length === 0);
  await until("the scanner is banned", async () => {
    scan(scanner, target.ipv4);
    return (await bannedInKernel(target)).includes(scanner.ipv4);
  }, 30);
  chatter(talker, target.ipv4, 6000);
  const again = await lab.host();
  scan(again, target.ipv4);
  await until("the next one is banned", async () => (await bannedInKernel(target)).includes(again.ipv4));
  const began = Date.now();
  assert.equal(await daemon.stop(), 0);
  assert.ok(Date.now() - began < 8000, `it took ${Date.now() - began} ms to end`);
});

async function startWithSyslog(machine: Machine): Promise<Deno.ChildProcess> {
  const path = "/etc/portsnare/config.toml";
  const log = { target: "syslog", level: "debug", burst: 100_000 };
  await machine.write(
    path,
    configText("/var/lib/portsnare", { ...TALKATIVE, log: { ...log, format: "text" } }),
  );
  return await machine.start("run", "-c", path);
}

/** A control group that ends its process when that takes more memory than it may. */
class MemoryGroup implements AsyncDisposable {
  readonly #path: string | undefined;

  private constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Where no group can be made (a container without its own), the caller's measurement has to do. */
  static async around(pid: number, bytes: number): Promise<MemoryGroup> {
    for (
      const [parent, key] of [["/sys/fs/cgroup/memory", "memory.limit_in_bytes"], [
        "/sys/fs/cgroup",
        "memory.max",
      ]]
    ) {
      const path = `${parent}/portsnare-test-${pid}`;
      try {
        await Deno.mkdir(path);
        await Deno.writeTextFile(`${path}/${key}`, String(bytes), { create: false });
        await Deno.writeTextFile(`${path}/cgroup.procs`, String(pid), { create: false });
        return new MemoryGroup(path);
      } catch {
        await Deno.remove(path).catch(() => {});
      }
    }
    console.log("no control group for memory can be made here: the resident size is looked at instead");
    return new MemoryGroup(undefined);
  }

  /** The group can go when nobody is in it: its process joins the one above. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#path === undefined) return;
    for (const pid of (await Deno.readTextFile(`${this.#path}/cgroup.procs`)).trim().split("\n")) {
      if (pid !== "") await Deno.writeTextFile(`${this.#path}/../cgroup.procs`, pid);
    }
    await Deno.remove(this.#path);
  }
}
