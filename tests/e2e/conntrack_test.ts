/** What connection tracking says about real flows through a host that translates. @module */
import assert from "node:assert/strict";
import { Conntrack } from "../../src/host/conntrack.ts";
import { SocketTable } from "../../src/host/sockets.ts";
import type { IncomingPacket } from "../../src/net/listener.ts";
import { containerBehind } from "../lab/container.ts";
import { Lab, until } from "../lab/lab.ts";
import { address } from "../lab/addresses.ts";

const clock = { monotonicMs: () => performance.now() };

const NAT = `
table inet published {
  chain prerouting {
    type nat hook prerouting priority -100;
    iifname "eth0" tcp dport 8080 dnat ip to 172.18.0.2:80
    iifname "eth0" tcp dport 8080 dnat ip6 to [fd18::2]:80
    iifname "eth0" udp dport 5353 dnat ip to 172.18.0.2:53
    iifname "eth0" tcp dport 81 redirect to :8081
  }
}`;

Deno.test("C22: Conntrack tells what the host translates from what ends at the host", async (t) => {
  await using lab = await Lab.create();
  const host = await lab.host();
  const client = await lab.host();
  await using box = await containerBehind(host);
  using conntrack = host.inside(() => {
    const made = new Conntrack(clock);
    assert.equal(made.available, true, "this kernel has no ctnetlink");
    return made;
  });
  using sockets = host.inside(() => new SocketTable());

  await t.step("inUse is false while nothing is tracked", () => assert.equal(conntrack.inUse(), false));
  await host.out(["nft", "-f", "-"], { stdin: NAT });
  // A refused connection leaves the table with its refusal; these stay.
  host.spawn(["nsenter", `--net=/run/netns/${box.name}`, "ncat", "-lk", "80"], {
    stdout: "null",
    stderr: "null",
  });
  host.spawn(["nsenter", `--net=/run/netns/${box.name}`, "ncat", "-lku", "53"], {
    stdout: "null",
    stderr: "null",
  });
  host.spawn(["ncat", "-lk", "8081"], { stdout: "null", stderr: "null" });
  host.spawn(["ncat", "-lku", "5354"], { stdout: "null", stderr: "null" });

  const CASES: readonly [string, "tcp" | "udp", string, number, boolean][] = [
    ["C22: a published port", "tcp", "10.77.0.1", 8080, true],
    ["C22: a published port over IPv6", "tcp", "fd77::1", 8080, true],
    ["C22: a published UDP port", "udp", "10.77.0.1", 5353, true],
    ["C22: a redirected port", "tcp", "10.77.0.1", 81, true],
    ["a port of the host itself", "tcp", "10.77.0.1", 8081, false],
    ["a UDP port of the host itself", "udp", "10.77.0.1", 5354, false],
  ];
  for (const [index, [what, protocol, dest, port, expected]] of CASES.entries()) {
    await t.step(`translated is ${expected} for ${what}`, async () => {
      const sourcePort = 41000 + index;
      const source = dest.includes(":") ? client.ipv6 : client.ipv4;
      const packet: IncomingPacket = {
        protocol,
        dest: address(dest),
        port,
        source: address(source),
        sourcePort,
      };
      assert.equal(conntrack.translated(packet), false, "translated before it was sent");
      await until("the flow is tracked", async () => {
        // A first packet may be lost to neighbour discovery; asking again changes nothing about the flow.
        const udp = protocol === "udp" ? ["-u"] : [];
        await client.run(["nc", "-w1", ...udp, "-p", `${sourcePort}`, dest, `${port}`], { stdin: "x" });
        const family = dest.includes(":") ? "ipv6" : "ipv4";
        const flows = await host.out([
          ...["conntrack", "-L", "-f", family, "-p", protocol],
          ...["--orig-port-src", `${sourcePort}`],
        ]);
        return flows.includes(`sport=${sourcePort}`);
      });
      assert.equal(conntrack.translated(packet), expected);
      if (expected) assert.equal(sockets.owns(packet), false, "a socket of the host has it");
    });
  }

  await t.step("inUse is true once something is tracked", () => assert.equal(conntrack.inUse(), true));
  await t.step("dispose ends it, twice is harmless", () => {
    assert.equal(conntrack.unanswered.failures, 0, conntrack.unanswered.lastFailure);
    conntrack[Symbol.dispose]();
    conntrack[Symbol.dispose]();
    assert.equal(conntrack.available, false);
    assert.equal(conntrack.inUse(), false);
  });
});
