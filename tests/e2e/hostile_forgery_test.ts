/** Packets in other people's names: what an attacker who only sends, and never sees an answer, can bring about. @module */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { openSession } from "../lab/session.ts";
import { bannedByDaemon, bannedInKernel, banOf, BLOCKING, forge, scan, statusOf } from "../lab/siege.ts";

const PORTS = Array.from({ length: 40 }, (_, index) => 500 + index);
/** Where a namespace's name servers are put: ip-netns(8) mounts it over /etc/resolv.conf. */
const NETNS = "/etc/netns";

for (const engine of ["kernel", "raw"]) {
  Deno.test(`F2: engine ${engine}, a forged flood bans neither gateway, resolver, the host itself nor the admin who is there`, async () => {
    await using lab = await Lab.create();
    const [target, gateway, resolver, admin, attacker] = [
      await lab.host(),
      await lab.host(),
      await lab.host(),
      await lab.host(),
      await lab.host(),
    ];
    await target.out(["ip", "route", "add", "default", "via", gateway.ipv4]);
    await using _names = await nameServers(target, [resolver.ipv4, resolver.ipv6]);
    await serve(target, 22, 80);
    await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });
    using session = await openSession(admin, { address: target.ipv4, port: 22 });
    await until(
      "the admin is known",
      async () => (await statusOf(daemon)).protected.some(({ address }) => address === admin.ipv4),
    );

    const victims = [gateway.ipv4, resolver.ipv4, resolver.ipv6, target.ipv4, admin.ipv4, "127.0.0.1"];
    for (const source of victims) {
      forge(attacker, { source, dest: source.includes(":") ? target.ipv6 : target.ipv4, ports: PORTS });
    }
    // A real scanner behind them: when it is banned, everything before it has been judged.
    scan(attacker, target.ipv4);
    await banOf(daemon, attacker.ipv4);

    for (const victim of victims) assert.deepEqual(daemon.about(victim, "block"), [], victim);
    assert.deepEqual(await bannedInKernel(target), [attacker.ipv4]);
    for (const [who, reason] of [[gateway, "gateway"], [resolver, "resolver"], [admin, "session"]] as const) {
      const [line] = daemon.about(who.ipv4, "probe");
      assert.deepEqual([line?.["verdict"], line?.["reason"]], ["protected", reason]);
      assert.ok(await reaches(who, target.ipv4, 80), `${reason}: no answer`);
    }
    assert.ok(await session.echoes(), "the admin's session is gone");
  });
}

Deno.test("forged probes of a customer: nothing that is open is cut, and the ban can be prevented and lifted (a limit)", async () => {
  await using lab = await Lab.create();
  const [target, customer, friend, attacker] = [
    await lab.host(),
    await lab.host(),
    await lab.host(),
    await lab.host(),
  ];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, ignore: { hosts: [friend.ipv4] } },
  });
  // Two ports are no scan: the customer is held up for seconds at most, and can be told from a scanner.
  forge(attacker, { source: customer.ipv4, dest: target.ipv4, ports: [500, 501] });
  await until("it is told", () => daemon.about(customer.ipv4, "probe").length > 0);
  assert.deepEqual(daemon.about(customer.ipv4, "block"), []);
  await until("he is served again when the quarantine is over", () => reaches(customer, target.ipv4, 80), 10);

  forge(attacker, { source: customer.ipv4, dest: target.ipv4, ports: PORTS });
  forge(attacker, { source: friend.ipv4, dest: target.ipv4, ports: PORTS });
  await banOf(daemon, customer.ipv4);
  assert.deepEqual(
    await bannedByDaemon(daemon),
    [customer.ipv4],
    "who is on the ignore list is never banned",
  );
  assert.ok(await reaches(friend, target.ipv4, 80));
  assert.equal((await daemon.cli("unblock", customer.ipv4)).code, 0);
  await until("he is served again", () => reaches(customer, target.ipv4, 80), 10);
});

Deno.test("forged probes in mode connect ban nobody: a handshake cannot be forged", async () => {
  await using lab = await Lab.create();
  const [target, customer, scanner, attacker] = [
    await lab.host(),
    await lab.host(),
    await lab.host(),
    await lab.host(),
  ];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, {
    config: {
      tcp: { mode: "connect", ports: [500, 501, 502, 503], response: "block" },
      udp: { mode: "off" },
    },
  });
  forge(attacker, { source: customer.ipv4, dest: target.ipv4, ports: [500, 501, 502, 503] });
  for (const port of [500, 501, 502]) await reaches(scanner, target.ipv4, port);
  await banOf(daemon, scanner.ipv4);
  assert.deepEqual(await bannedInKernel(target), [scanner.ipv4]);
  assert.deepEqual(daemon.about(customer.ipv4, "probe"), []);
  assert.ok(await reaches(customer, target.ipv4, 80));
});

Deno.test("forged sources of the whole Internet: bans stop at their bound, the host is reachable, and one command undoes it", async () => {
  await using lab = await Lab.create();
  const [target, client, attacker] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, {
    config: {
      ...BLOCKING,
      block: { max_active: 200, rate: 100_000 },
      log: { burst: 1, level: "notice" },
    },
  });
  for (let i = 0; i < 1000; i++) {
    forge(attacker, {
      source: `198.51.${i >> 8}.${i & 255}`,
      dest: target.ipv4,
      ports: [500, 501, 502, 503],
    });
  }
  await daemon.line(
    "it says that a bound is reached",
    (line) => String(line["message"]).includes("block.max_active = 200"),
    20,
  );
  const { bans } = await statusOf(daemon);
  assert.deepEqual([bans.active, bans.failed], [200, 0]);
  assert.ok(bans.refused > 0);
  assert.equal((await bannedInKernel(target)).length, 200);
  assert.equal(daemon.notices().filter((line) => line.includes("Bans are being refused")).length, 1);
  assert.ok(await reaches(client, target.ipv4, 80), "who asks for a service is served");
  assert.equal((await daemon.cli("unblock", "--all")).code, 0);
  assert.deepEqual(await bannedInKernel(target), []);
  assert.equal((await statusOf(daemon)).bans.active, 0);
});

Deno.test("martian sources (multicast, broadcast, unspecified, loopback, the host's own) are nobody and never banned", async () => {
  await using lab = await Lab.create();
  const [target, attacker] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  const sources = [
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "127.0.0.1",
    "127.9.9.9",
    target.ipv4,
    "ff02::1",
    "::1",
  ];
  for (const source of [...sources, target.ipv6, "::"]) {
    forge(attacker, { source, dest: source.includes(":") ? target.ipv6 : target.ipv4, ports: PORTS });
  }
  scan(attacker, target.ipv4);
  await banOf(daemon, attacker.ipv4);
  assert.deepEqual(await bannedInKernel(target), [attacker.ipv4]);
  assert.deepEqual(await bannedByDaemon(daemon), [attacker.ipv4]);
});

async function nameServers(host: Host, addresses: readonly string[]): Promise<AsyncDisposable> {
  const directory = `${NETNS}/${host.namespace}`;
  await Deno.mkdir(directory, { recursive: true });
  const text = addresses.map((address) => `nameserver ${address}\n`).join("");
  await Deno.writeTextFile(`${directory}/resolv.conf`, text);
  return { [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }) };
}
