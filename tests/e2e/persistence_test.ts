/**
 * Bans that last as long as they should: across restarts, boots, flushes and their own end.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ask } from "../../src/control/client.ts";
import type { NewBan } from "../../src/record/state/ban.ts";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { ban } from "../unit/record/state/lab_state.ts";

const MANY = 100_000;
const CONFIG = { tcp: { response: "block" }, block: { duration: "1h" } };

async function scan(scanner: Host, target: Host): Promise<void> {
  await scanner.run(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sS", "-p", "20-40", target.ipv4]);
}

/** Seconds of CPU time and MiB of memory that the daemon has taken so far. */
async function cost(daemon: Daemon): Promise<{ readonly cpu: number; readonly rss: number }> {
  const stat = await Deno.readTextFile(`/proc/${daemon.process.pid}/stat`);
  const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  const status = await Deno.readTextFile(`/proc/${daemon.process.pid}/status`);
  return { cpu: (user + system) / 100, rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024 };
}

async function expiries(host: Host, set = "banned4"): Promise<ReadonlyMap<string, string | undefined>> {
  const text = await host.out(["nft", "list", "set", "inet", "portsnare", set]);
  const elements = /elements = \{([^}]*)\}/.exec(text)?.[1] ?? "";
  return new Map(
    elements.split(",").filter((it) => it.trim() !== "").map((it) => {
      const [address = "", ...rest] = it.trim().split(/\s+/);
      const at = rest.indexOf("expires");
      return [address, at < 0 ? undefined : rest[at + 1]];
    }),
  );
}

/** Seconds of nft's `1h59m58s800ms`. */
function seconds(text: string | undefined): number {
  const units: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1, ms: 0.001 };
  return [...(text ?? "").matchAll(/(\d+)(ms|d|h|m|s)/g)]
    .reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? NaN), 0);
}

/** Make the state believe that the machine was booted since it was written. */
function forgetBoot(directory: string): void {
  using database = new DatabaseSync(`${directory}/state.db`);
  database.exec("UPDATE meta SET value = 'an earlier boot' WHERE name = 'boot_id'");
  database.exec("UPDATE bans SET boot = 'an earlier boot'");
}

function crowd(count: number): readonly NewBan[] {
  return Array.from({ length: count }, (_, i) => {
    const address = `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
    return ban(address, systemClock, { seconds: 86_400 });
  });
}

Deno.test("100,000 bans are in force again after a boot and after a restart, and do not make the verbs slow", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  await using files = new AsyncDisposableStack();
  files.defer(() => Deno.remove(directory, { recursive: true }));
  {
    using state = new State(`${directory}/state.db`, systemClock);
    state.saveBans(crowd(MANY));
    state.markRecorded();
  }
  const booted = await startTimed(target, directory, "after a boot");
  // While the kernel's hash table still grows, a listing passes some of its elements over.
  const there = await until("the kernel lists every ban", async () => {
    const listed = await expiries(target);
    return listed.size === MANY && listed;
  }, 30);
  for (const address of ["10.128.0.0", "10.129.134.159"]) {
    const left = seconds(there.get(address));
    assert.ok(left > 86_000 && left <= 86_400, `${address} ${left}`);
  }
  const started = performance.now();
  assert.equal((await booted.cli("list")).stdout.split("\n").length, MANY + 2);
  const listed = performance.now();
  assert.equal((await booted.cli("block", "192.0.2.1")).code, 0);
  console.log(
    `list of ${MANY} bans: ${figure(listed - started)}; one more block: ${
      figure(performance.now() - listed)
    }`,
  );
  await booted.stop();
  const restarted = await startTimed(target, directory, "after a restart");
  assert.match((await restarted.cli("status")).stdout, new RegExp(`bans: ${MANY + 1} of at most`));
  await target.out([
    "nft",
    "get",
    "element",
    "inet",
    "portsnare",
    "banned4",
    "{ 10.129.134.159, 192.0.2.1 }",
  ]);
  await restarted.stop();
});

function figure(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

async function startTimed(target: Host, directory: string, occasion: string): Promise<Daemon> {
  const started = performance.now();
  const daemon = await Daemon.start(target, { directory, config: CONFIG });
  const wall = figure(performance.now() - started);
  const { cpu, rss } = await cost(daemon);
  const restored = daemon.notices().find((line) => line.includes("are in force"));
  console.log(`${occasion}: armed after ${wall} (${cpu} s of CPU time), ${rss.toFixed(0)} MiB; ${restored}`);
  // Wall time is other people's as well; what this costs is ours.
  assert.ok(cpu < 3, `${cpu} s of CPU time`);
  assert.ok(rss < 350, `${rss} MiB`);
  return daemon;
}

Deno.test("after a boot bans have the time that is left, permanent ones stay, and those over are gone", async () => {
  await using lab = await Lab.create();
  const [target, reborn, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using first = await Daemon.start(target, { config: CONFIG });
  await first.cli("block", scanner.ipv4, "--for", "2h");
  await first.cli("block", scanner.ipv6, "--for", "permanent");
  await first.cli("block", "192.0.2.0/24", "--for", "2h");
  await first.cli("block", "192.0.2.9", "--for", "1s");
  await first.stop("SIGKILL");
  forgetBoot(first.directory);
  await until("the short ban is over", () => {
    using database = new DatabaseSync(`${first.directory}/state.db`, { readOnly: true });
    const row = database.prepare("SELECT expires FROM bans WHERE target = '192.0.2.9'").get();
    return Number(row?.["expires"]) < Date.now() / 1000;
  });
  // Another namespace stands for the kernel after a boot: nothing of ours is in it.
  await using second = await Daemon.start(reborn, { config: CONFIG, directory: first.directory });
  const four = await expiries(reborn);
  assert.deepEqual([...four.keys()], [scanner.ipv4]);
  assert.ok(seconds(four.get(scanner.ipv4)) > 7100 && seconds(four.get(scanner.ipv4)) <= 7200);
  const net = await expiries(reborn, "banned_net4");
  assert.ok(seconds(net.get("192.0.2.0/24")) > 7100);
  assert.deepEqual([...await expiries(reborn, "banned6")], [[scanner.ipv6, undefined]]);
  await until("the ban that was over is told as expired", async () => {
    const { stdout } = await second.cli("why", "192.0.2.9", "--json");
    return stdout.includes(`"cause":"expired"`);
  });
  assert.equal(await reaches(scanner, reborn.ipv4, 22), false);
});

Deno.test("F6 F8: a ban ends by itself everywhere, and the next offence is banned longer and told again", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, {
    config: {
      ...CONFIG,
      block: { duration: "2s", factor: 100 },
      actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" },
    },
  });
  await scan(scanner, target);
  const made = await daemon.line("the ban", (line) => line["type"] === "block");
  assert.equal(made["seconds"], 2);
  assert.match(await Deno.readTextFile(`${daemon.directory}/hosts.deny`), new RegExp(scanner.ipv4));
  await daemon.line("its end", (line) => line["type"] === "release" && line["cause"] === "expired");
  assert.equal((await expiries(target)).size, 0);
  assert.doesNotMatch(await Deno.readTextFile(`${daemon.directory}/hosts.deny`), new RegExp(scanner.ipv4));
  assert.equal((await daemon.cli("list")).stdout, "No bans are in force.\n");
  assert.ok(await reaches(scanner, target.ipv4, 80));
  await scan(scanner, target);
  const again = await daemon.line(
    "the next ban",
    (line) => line["type"] === "block" && line["offence"] === 2,
  );
  assert.equal(again["seconds"], 200, "block.factor");
  const lines = (await daemon.history()).split("\n").filter((line) => line.endsWith("Blocked"));
  assert.equal(lines.length, 2, "the second offence must reach fail2ban as well");
});

Deno.test("F7: after a boot kill_route runs again for bans that go on; after a mere restart it does not", async () => {
  await using lab = await Lab.create();
  const [target, reborn, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  const config = {
    tcp: { response: "block" },
    block: { duration: "permanent" },
    actions: { firewall: "none", kill_route: "iptables -I INPUT -s $TARGET$ -j DROP" },
  };
  const rules = async (host: Host): Promise<number> =>
    (await host.out(["iptables", "-S", "INPUT"])).split("\n").filter((line) =>
      line.includes(`-s ${scanner.ipv4}/32 `)
    ).length;
  await using first = await Daemon.start(target, { config });
  await scan(scanner, target);
  await first.line("the ban", (line) => line["type"] === "block");
  assert.equal(await rules(target), 1);
  await first.cli("block", scanner.ipv4);
  assert.equal(await rules(target), 1, "a ban that replaces another has no second rule");
  await first.stop("SIGKILL");

  await using restarted = await Daemon.start(target, { config, directory: first.directory });
  await restarted.cli("status");
  assert.equal(await rules(target), 1, "the rule is still there");
  assert.ok(!restarted.notices().some((line) => line.includes("kill_route was run again")));
  await restarted.stop();

  forgetBoot(first.directory);
  await using booted = await Daemon.start(reborn, { config, directory: first.directory });
  await booted.line(
    "the rule is made again",
    (line) => String(line["message"]).includes("kill_route was run again for 1 ban,"),
  );
  assert.equal(await rules(reborn), 1);
  await booted.stop("SIGKILL");
  await using last = await Daemon.start(reborn, { config, directory: first.directory });
  const unblocked = await last.cli("unblock", scanner.ipv4);
  assert.equal(unblocked.code, 0, unblocked.stderr + unblocked.stdout);
  assert.equal(await rules(reborn), 0, "nothing is left of it");
});

Deno.test("a ruleset that is flushed during a scan comes back with its bans while the scan goes on", async () => {
  await using lab = await Lab.create();
  const [target, scanner, late] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, { config: CONFIG });
  await daemon.cli("block", "192.0.2.0/24");
  await scan(scanner, target);
  await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === scanner.ipv4);
  const scanning = late.spawn([
    ...["nmap", "-n", "-Pn", "--max-retries", "0", "--scan-delay", "100ms", "-sS", "-p", "100-140"],
    target.ipv4,
  ]);
  for (let round = 1; round <= 3; round++) {
    await target.out(["nft", "flush", "ruleset"]);
    await until("the bans are back", () => {
      const notices = daemon.notices().filter((line) => line.includes("in force after the flush"));
      return notices.length === round;
    });
  }
  await scanning.status;
  await daemon.line("the other's ban", (line) => line["type"] === "block" && line["source"] === late.ipv4);
  assert.deepEqual([...(await expiries(target)).keys()].sort(), [late.ipv4, scanner.ipv4].sort());
  assert.deepEqual([...(await expiries(target, "banned_net4")).keys()], ["192.0.2.0/24"]);
  assert.equal(await reaches(scanner, target.ipv4, 80), false);
  const listed = (await daemon.cli("list", "--json")).stdout.split("\n").length - 1;
  assert.equal(listed, 3);
});

Deno.test("a ban that is made before a flushed ruleset is back brings all the others back, too", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target, { config: CONFIG });
  const block = async (address: string): Promise<void> => {
    const question = { verb: "block", target: address, force: false } as const;
    for await (const change of ask(`${daemon.directory}/control.sock`, question)) {
      assert.match(JSON.stringify(change), /"done":true/);
    }
  };
  await block("192.0.2.1");
  for (let round = 2; round <= 5; round++) {
    await target.out(["nft", "flush", "ruleset"]);
    // Sooner than the next look at the ruleset, at least in most rounds.
    await block(`192.0.2.${round}`);
    await until("every ban is in the kernel", async () => (await expiries(target)).size === round);
  }
});
