/**
 * The backends that speak through programs, each in a namespace with the real program and real packets.
 * @module
 */
import assert from "node:assert/strict";
import { formatPrefix } from "../../src/net/prefix.ts";
import type { Backend } from "../../src/respond/backend.ts";
import { IptablesBackend } from "../../src/respond/iptables.ts";
import { RouteBackend } from "../../src/respond/route.ts";
import { type Exec, run } from "../../src/system/exec.ts";
import { type Host, Lab } from "../lab/lab.ts";
import { prefix } from "../lab/addresses.ts";

function execIn(host: Host): Exec {
  return async (argv, options) => await run(["ip", "netns", "exec", host.namespace, ...argv], options);
}

function iptables(variant: "nft" | "legacy", useSets: boolean): (host: Host) => Backend {
  const programs = { iptables: `iptables-${variant}`, ip6tables: `ip6tables-${variant}` };
  return (host) => new IptablesBackend({ exec: execIn(host), hasIpv6: () => true, programs, useSets });
}

const BACKENDS: Readonly<Record<string, (host: Host) => Backend>> = {
  "iptables (nf_tables) with ipset": iptables("nft", true),
  "iptables (legacy) with ipset": iptables("legacy", true),
  "iptables (nf_tables) without ipset": iptables("nft", false),
  "iptables (legacy) without ipset": iptables("legacy", false),
  "route": (host) => new RouteBackend({ exec: execIn(host) }),
};

/** Everything that a backend could have changed, as text. */
async function state(host: Host): Promise<string> {
  const commands = [
    ["iptables-nft", "-S"],
    ["ip6tables-nft", "-S"],
    ["iptables-legacy", "-S"],
    ["ip6tables-legacy", "-S"],
    ["ipset", "list", "-n"],
    ["ip", "-4", "route"],
    ["ip", "-6", "route"],
  ];
  const parts: string[] = [];
  for (const argv of commands) parts.push(`${argv.join(" ")}\n${await host.out(argv)}`);
  return parts.join("");
}

async function answers(from: Host, to: string): Promise<boolean> {
  return (await from.run(["ping", "-n", "-c", "1", "-W", "1", to])).code === 0;
}

async function listed(backend: Backend): Promise<readonly string[]> {
  return (await backend.list()).map((ban) => formatPrefix(ban.target)).sort();
}

for (const [name, make] of Object.entries(BACKENDS)) {
  Deno.test(`${name}: keeps banned addresses out in both families, lets them in again, leaves nothing`, async () => {
    await using lab = await Lab.create();
    const victim = await lab.host();
    const scanner = await lab.host();
    const neighbour = await lab.host();
    const ours = ["-A", "INPUT", "-s", "198.51.100.7", "-j", "DROP"];
    await victim.out(["iptables-nft", ...ours]);
    await victim.out(["iptables-legacy", ...ours]);
    await victim.out(["ip", "route", "add", "blackhole", "198.51.100.9"]);
    const before = await state(victim);
    const backend = make(victim);
    await backend.setup();
    assert.deepEqual(await backend.check(), { ok: true });
    assert.deepEqual(await backend.list(), []);
    assert.ok(await answers(scanner, victim.ipv4), "control: IPv4 works before the ban");
    assert.ok(await answers(scanner, victim.ipv6), "control: IPv6 works before the ban");

    const targets = [
      prefix(scanner.ipv4),
      prefix(scanner.ipv6),
      prefix("203.0.113.0/24"),
      prefix("2001:db8::/64"),
    ];
    const bans = targets.map((target, index) => ({ target, seconds: index % 2 === 0 ? 3600 : undefined }));
    for (let again = 0; again < 2; again++) {
      const outcomes = await backend.block(bans);
      assert.deepEqual(
        outcomes.map((outcome) => outcome.ok),
        [true, true, true, true],
        JSON.stringify(outcomes),
      );
    }
    assert.deepEqual(await listed(backend), targets.map(formatPrefix).sort());
    assert.equal(await answers(scanner, victim.ipv4), false, "IPv4 is kept out");
    assert.equal(await answers(scanner, victim.ipv6), false, "IPv6 is kept out");
    assert.ok(await answers(neighbour, victim.ipv4), "nobody else is");

    await make(victim).setup();
    assert.deepEqual(await listed(backend), targets.map(formatPrefix).sort(), "a restart keeps the bans");
    assert.equal(await answers(scanner, victim.ipv4), false);

    for (let again = 0; again < 2; again++) {
      const outcomes = await backend.release(targets.slice(0, 2));
      assert.deepEqual(outcomes.map((outcome) => outcome.ok), [true, true], JSON.stringify(outcomes));
    }
    assert.deepEqual(await listed(backend), targets.slice(2).map(formatPrefix).sort());
    assert.ok(await answers(scanner, victim.ipv4), "IPv4 is let in again");
    assert.ok(await answers(scanner, victim.ipv6), "IPv6 is let in again");

    for (let again = 0; again < 2; again++) await backend.teardown();
    assert.equal(await state(victim), before, "what is the administrator's is as it was");
  });
}

for (const variant of ["nft", "legacy"] as const) {
  Deno.test(`iptables (${variant}): forwarded traffic of a banned address is dropped, too`, async () => {
    await using lab = await Lab.create();
    const router = await lab.host();
    const scanner = await lab.host();
    const inner = await lab.host();
    await router.out(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"]);
    await inner.out(["ip", "address", "flush", "dev", inner.interface]);
    await inner.out(["ip", "address", "add", "10.88.0.2/24", "dev", inner.interface]);
    await inner.out(["ip", "route", "add", "default", "via", "10.88.0.1"]);
    await router.out(["ip", "address", "add", "10.88.0.1/24", "dev", router.interface]);
    await scanner.out(["ip", "route", "add", "10.88.0.0/24", "via", router.ipv4]);
    assert.ok(await answers(scanner, "10.88.0.2"), "control: the way is open");
    const backend = iptables(variant, true)(router);
    await backend.setup();
    await backend.block([{ target: prefix(scanner.ipv4), seconds: 600 }]);
    assert.equal(await answers(scanner, "10.88.0.2"), false);
  });

  Deno.test(`iptables (${variant}): check names what somebody flushed, and setup mends it`, async () => {
    await using lab = await Lab.create();
    const victim = await lab.host();
    const backend = iptables(variant, true)(victim);
    await backend.setup();
    await backend.block([{ target: prefix("192.0.2.1"), seconds: 600 }]);
    for (
      const [argv, what] of [
        [[`iptables-${variant}`, "-F", "INPUT"], /jump from INPUT/],
        [[`ip6tables-${variant}`, "-F", "FORWARD"], /jump from FORWARD/],
        [[`iptables-${variant}`, "-F", "PORTSNARE"], /rule for portsnare4/],
      ] as const
    ) {
      await victim.out(argv);
      const health = await backend.check();
      assert.equal(health.ok, false, argv.join(" "));
      assert.match(health.ok ? "" : health.missing, what);
      await backend.setup();
      assert.deepEqual(await backend.check(), { ok: true });
    }
    assert.deepEqual(await listed(backend), ["192.0.2.1"]);
    const rules = await victim.out([`iptables-${variant}`, "-S"]);
    assert.equal(
      rules.match(/-A INPUT -j PORTSNARE/g)?.length,
      1,
      "there is one jump, however often it was set up",
    );
  });
}

Deno.test("iptables: the kernel forgets a ban when its time is over; a ban again gives it the new time", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  const backend = iptables("nft", true)(victim);
  await backend.setup();
  await backend.block([{ target: prefix("192.0.2.1"), seconds: 50 }, {
    target: prefix("192.0.2.2"),
    seconds: 5000,
  }]);
  await backend.block([{ target: prefix("192.0.2.1"), seconds: 9000 }]);
  await backend.block([{ target: prefix("192.0.2.3"), seconds: 3_000_000 }]);
  const seconds = new Map((await backend.list()).map((ban) => [formatPrefix(ban.target), ban.seconds]));
  assert.ok((seconds.get("192.0.2.1") ?? 0) > 8000, "the new time counts");
  assert.ok((seconds.get("192.0.2.2") ?? 0) > 4000);
  assert.equal(seconds.get("192.0.2.3"), undefined, "too long for ipset: until we release it");
});

Deno.test("iptables: one element that is refused does not keep the others from being banned", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  const backend = iptables("nft", true)(victim);
  await backend.setup();
  const targets = ["192.0.2.1", "0.0.0.0/0", "2001:db8::1", "::/0", "192.0.2.9"].map(prefix);
  const outcomes = await backend.block(targets.map((target) => ({ target, seconds: 60 })));
  assert.deepEqual(outcomes.map((outcome) => outcome.ok), [true, false, true, false, true]);
  assert.deepEqual(await listed(backend), ["192.0.2.1", "192.0.2.9", "2001:db8::1"]);
});

Deno.test("F1: iptables: when its chain is gone a ban fails and says so, and a release does not", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  for (const variant of ["nft", "legacy"] as const) {
    for (const useSets of [true, false]) {
      const backend = iptables(variant, useSets)(victim);
      const [outcome] = await backend.block([{ target: prefix("192.0.2.1"), seconds: 60 }]);
      assert.equal(outcome?.ok, false);
      assert.notEqual(outcome?.ok === false ? outcome.error : "", "");
      const [released] = await backend.release([prefix("192.0.2.1")]);
      assert.equal(released?.ok, true, `${variant}: who is not banned counts as released`);
    }
  }
});

Deno.test("iptables: ten thousand addresses are banned in one batch", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  for (const useSets of [true, false]) {
    const backend = iptables("nft", useSets)(victim);
    await backend.setup();
    const targets = Array.from({ length: 10_000 }, (_, n) => prefix(`10.9.${n >> 8}.${n & 255}`));
    const outcomes = await backend.block(targets.map((target) => ({ target, seconds: 600 })));
    assert.ok(
      outcomes.every((outcome) => outcome.ok),
      JSON.stringify(outcomes.find((outcome) => !outcome.ok)),
    );
    assert.equal((await backend.list()).length, 10_000);
    await backend.teardown();
  }
});

Deno.test("route: an administrator's route is never overwritten or removed", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  await victim.out(["ip", "route", "add", "192.0.2.1", "dev", victim.interface]);
  await victim.out(["ip", "route", "add", "blackhole", "192.0.2.2"]);
  const before = await state(victim);
  const backend = new RouteBackend({ exec: execIn(victim) });
  const targets = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(prefix);
  const outcomes = await backend.block(targets.map((target) => ({ target, seconds: 60 })));
  assert.deepEqual(outcomes.map((outcome) => outcome.ok), [false, false, true]);
  assert.match(outcomes[0]?.ok === false ? outcomes[0].error : "", /another route/);
  assert.ok((await backend.release(targets)).every((outcome) => outcome.ok));
  assert.equal(await state(victim), before);
});

Deno.test("route: check notices flushed routes", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  const backend = new RouteBackend({ exec: execIn(victim) });
  await backend.block([{ target: prefix("192.0.2.3"), seconds: 60 }]);
  assert.deepEqual(await backend.check(), { ok: true });
  await victim.out(["ip", "route", "flush", "type", "blackhole"]);
  assert.deepEqual(await backend.check(), { ok: false, missing: "blackhole route to 192.0.2.3" });
});
