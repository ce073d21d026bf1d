/** The daemon while things around it break. @module */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, run, until } from "../lab/lab.ts";
import { RawSender } from "../lab/raw_sender.ts";
import {
  bannedByDaemon,
  bannedInKernel,
  banOf,
  BLOCKING,
  forge,
  holdings,
  scan,
  statusOf,
} from "../lab/siege.ts";

const TCP = 6;

/** What others do to the ruleset, and what must be there again afterwards. */
const REMOVALS: Readonly<Record<string, readonly string[]>> = {
  "nft flush ruleset": ["nft", "flush", "ruleset"],
  "nft delete table": ["nft", "delete", "table", "inet", "portsnare"],
  "a chain of ours flushed": ["nft", "flush", "chain", "inet", "portsnare", "guard"],
  "somebody's accept in front of our rules": [
    "nft",
    "insert",
    "rule",
    "inet",
    "portsnare",
    "trap",
    "accept",
  ],
};

for (const [what, argv] of Object.entries(REMOVALS)) {
  Deno.test(`${what}, during a scan: rules and bans are back within two seconds, and it is said once`, async () => {
    await using lab = await Lab.create();
    const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config: BLOCKING });
    scan(first, target.ipv4);
    await banOf(daemon, first.ipv4);
    scan(second, target.ipv4, 1, 100);
    await target.out(argv);
    await until(
      "the ban is back",
      async () =>
        (await bannedInKernel(target)).includes(first.ipv4) &&
        (await target.run(["nft", "list", "chain", "inet", "portsnare", "guard"])).stdout.includes(
          "@banned4",
        ),
      2,
    );
    scan(second, target.ipv4);
    await banOf(daemon, second.ipv4);
    // Another few rounds of looking, in which it must have nothing to say.
    const said = () => daemon.notices().filter((line) => line.includes("putting it back")).length;
    await until("it is said", () => said() > 0);
    const round = Date.now();
    await until("three more rounds", () => Date.now() - round > 3000);
    assert.equal(said(), 1, daemon.said());
    assert.equal(await daemon.stop(), 0);
  });
}

Deno.test("a chain that somebody else hooks before and behind ours takes nothing from it", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  for (const priority of [-301, -300, -11, -10, -9]) {
    const hook = priority <= -300 ? "prerouting" : "input";
    await target.out(["nft", "-f", "-"], {
      stdin:
        `table inet other${-priority} { chain c { type filter hook ${hook} priority ${priority}; accept; }; }`,
    });
  }
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  assert.deepEqual(daemon.notices().filter((line) => line.includes("putting it back")), []);
});

Deno.test("an interface goes down, comes up, is renamed and gets another address: the trap is there each time", async () => {
  await using lab = await Lab.create();
  const [target, ...scanners] = [await lab.host(), await lab.host(), await lab.host(), await lab.host()];
  for (const engine of ["kernel", "raw"]) {
    await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });
    const link = (...args: readonly string[]) => target.out(["ip", "link", "set", ...args]);
    const [first, second, third] = scanners;
    assert.ok(first && second && third);
    await link("eth0", "down");
    await link("eth0", "up");
    await caught(daemon, first, target.ipv4);
    await link("eth0", "down");
    await link("eth0", "name", "wan7");
    await link("wan7", "up");
    await caught(daemon, second, target.ipv4);
    await target.out(["ip", "address", "add", "10.77.0.99/24", "dev", "wan7"]);
    await until("the new address is protected", async () => {
      const { protected: spared } = await statusOf(daemon);
      return spared.some(({ address }) => address === "10.77.0.99");
    });
    await caught(daemon, third, "10.77.0.99");
    assert.equal((await daemon.cli("unblock", "--all")).code, 0);
    assert.equal(await daemon.stop(), 0);
    await target.out(["ip", "address", "del", "10.77.0.99/24", "dev", "wan7"]);
    await link("wan7", "down");
    await link("wan7", "name", "eth0");
    await link("eth0", "up");
    // Taking a link down takes its IPv6 addresses away, which nobody asks for here.
  }
});

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

Deno.test("NFLOG overruns: after a flood that no reader could follow a real scan is caught, and the loss is counted", async () => {
  await using lab = await Lab.create();
  const [target, flooder, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, log: { burst: 1, level: "notice" } },
  });
  daemon.process.kill("SIGSTOP");
  flooder.inside(() => {
    using sender = new RawSender();
    for (let i = 0; i < 200_000; i++) {
      const source = `10.${100 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}`;
      sender.send({ source, dest: target.ipv4, protocol: TCP, destPort: 1 + i % 1000 });
    }
  });
  daemon.process.kill("SIGCONT");
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4, 30);
  await until("every packet is accounted for", async () => {
    // A gap in the kernel's numbers shows with the next packet that gets through behind it.
    forge(flooder, { source: "10.99.0.1", dest: target.ipv4, ports: [7] });
    const { trapped, reported, lost } = (await statusOf(daemon)).packets;
    return lost > 0 && reported + lost === trapped;
  }, 30);
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

Deno.test("SIGTERM at any moment of the start ends the daemon promptly, with nothing half made", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const directory = await Deno.makeTempDir();
  for (let delay = 0; delay <= 900; delay += 60) {
    const daemon = await Daemon.launch(target, { config: BLOCKING, directory });
    const sent = Date.now();
    await until("it is time", () => Date.now() - sent >= delay);
    const began = Date.now();
    const code = await daemon.stop();
    assert.ok(Date.now() - began < 5000, `after ${delay} ms it took ${Date.now() - began} ms to end`);
    // Before it listens for the signal it ends by the signal itself (128 + 15), having done nothing yet.
    assert.ok(code === 0 || code === 143, `after ${delay} ms: exit ${code}: ${daemon.said()}`);
    await assert.rejects(Deno.lstat(`${directory}/control.sock`), Deno.errors.NotFound, `after ${delay} ms`);
    const { code: listed, stdout } = await target.run(["nft", "list", "table", "inet", "portsnare"]);
    if (listed === 0) {
      assert.match(stdout, /chain guard[^]*@banned4[^]*chain trap[^]*chain forward/, "half a table");
    }
    await target.run(["nft", "flush", "ruleset"]);
  }
  await using daemon = await Daemon.start(target, { config: BLOCKING, directory });
  assert.deepEqual(await bannedByDaemon(daemon), []);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("SIGHUP at any moment of the start does not end the daemon", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  // Before the program runs at all the signal has its default effect, as for every program.
  for (const delay of [500, 700]) {
    await using daemon = await Daemon.launch(target, { config: BLOCKING });
    await daemon.line("it starts", (line) => String(line["message"]).includes("is starting"));
    const began = Date.now();
    await until("it is time", () => Date.now() - began >= delay - 500);
    daemon.process.kill("SIGHUP");
    await daemon.line(
      "it reads the configuration",
      (line) => String(line["message"]).includes("was read anew"),
    );
    assert.equal(await daemon.stop(), 0);
  }
});

Deno.test("SIGTERM in the middle of reloads ends the daemon promptly with 0, and every ban stays", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir();
  for (const delay of [0, 5, 20, 60]) {
    const daemon = await Daemon.start(target, { config: BLOCKING, directory });
    if (delay === 0) {
      scan(scanner, target.ipv4);
      await banOf(daemon, scanner.ipv4);
    }
    for (let i = 0; i < 5; i++) daemon.process.kill("SIGHUP");
    const sent = Date.now();
    await until("it is time", () => Date.now() - sent >= delay);
    assert.equal(await daemon.stop(), 0, daemon.said());
    assert.ok(Date.now() - sent < 8000);
    assert.deepEqual(await bannedInKernel(target), [scanner.ipv4]);
    assert.doesNotMatch(daemon.said(), /Internal error|internal error/);
  }
  await using daemon = await Daemon.start(target, { config: BLOCKING, directory });
  assert.deepEqual(await bannedByDaemon(daemon), [scanner.ipv4]);
});

Deno.test("a full disk: bans are enforced, the log says what is not kept, and all is written when there is room", async () => {
  await using lab = await Lab.create();
  const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir();
  assert.equal(
    (await run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "portsnare", directory])).code,
    0,
  );
  try {
    const daemon = await Daemon.start(target, {
      directory,
      config: { ...BLOCKING, actions: { kill_hosts_deny: "ALL: $TARGET$" } },
    });
    scan(first, target.ipv4);
    await banOf(daemon, first.ipv4);
    await run(["dd", "if=/dev/zero", `of=${directory}/filler`, "bs=4096"]);
    scan(second, target.ipv4);
    await until(
      "the kernel drops the second",
      async () => (await bannedInKernel(target)).includes(second.ipv4),
    );
    await daemon.line(
      "it says that the state is not kept",
      (line) => line["level"] === "err" && String(line["message"]).includes("state.db"),
    );
    await Deno.remove(`${directory}/filler`);
    await until("the history has both", async () => {
      const history = await daemon.history();
      return [first, second].every(({ ipv4 }) => history.includes(`/${ipv4} `));
    }, 90);
    await daemon.line(
      "the state is kept again",
      (line) => String(line["message"]).includes("is written again"),
      90,
    );
    daemon.process.kill("SIGKILL");
    await daemon.stop();
    const again = await Daemon.start(target, { directory, config: BLOCKING });
    assert.deepEqual(await bannedByDaemon(again), [first.ipv4, second.ipv4].toSorted());
    await again.stop();
  } finally {
    await run(["umount", directory]);
    await Deno.remove(directory);
  }
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

/** A link that has just come up takes its time until it carries packets: the scanner tries until it is caught. */
async function caught(daemon: Daemon, scanner: Host, address: string): Promise<void> {
  await until(`${scanner.ipv4} is caught`, () => {
    scan(scanner, address);
    return daemon.about(scanner.ipv4, "block").length > 0;
  }, 15);
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
