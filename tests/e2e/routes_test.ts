/** Addresses and gateways followed while they really change. @module */
import assert from "node:assert/strict";
import { HostRoutes } from "../../src/host/routes.ts";
import { type Address, formatAddress, parseAddress } from "../../src/net/address.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

const monotonicMs = () => performance.now();

function texts(addresses: readonly Address[]): string[] {
  return addresses.map(formatAddress).filter((text) => !text.startsWith("fe80::")).sort();
}

async function changes(host: Host, ...commands: readonly string[]): Promise<void> {
  for (const command of commands) await host.out(["ip", ...command.split(" ")]);
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("HostRoutes against a host whose addresses and routes change", async (t) => {
  await using lab = await Lab.create();
  const host = await lab.host();
  const before = openDescriptors();
  {
    await using routes = host.inside(() => new HostRoutes({ monotonicMs }));
    const addresses = () => texts(routes.addresses()).join(" ");
    const gateways = () => texts(routes.gateways()).join(" ");

    await t.step("F3: the host's own addresses are known from the start, loopback included", () => {
      assert.equal(addresses(), "10.77.0.1 127.0.0.1 ::1 fd77::1");
      assert.equal(gateways(), "");
    });
    await t.step("F23: a broadcast address is not one of them", () => {
      const broadcast = parseAddress("10.77.0.255");
      assert.ok(broadcast !== undefined && !routes.isOwn(broadcast));
    });

    let changed = 0;
    routes.onChange(() => changed++);
    routes.start();

    const STEPS: readonly [string, readonly string[], string, string][] = [
      [
        "F19: an address that another one begins with",
        ["address add 10.77.0.11/24 dev eth0"],
        "10.77.0.1 10.77.0.11 127.0.0.1 ::1 fd77::1",
        "",
      ],
      [
        "an address that goes, and a /32, and one on a point-to-point link",
        [
          "address del 10.77.0.11/24 dev eth0",
          "address add 192.0.2.7/32 dev lo",
          "address add 10.9.0.1 peer 10.9.0.2 dev eth0",
        ],
        "10.77.0.1 10.9.0.1 127.0.0.1 192.0.2.7 ::1 fd77::1",
        "",
      ],
      [
        "an address gone again",
        ["address del 192.0.2.7/32 dev lo", "address del 10.9.0.1 peer 10.9.0.2 dev eth0"],
        "10.77.0.1 127.0.0.1 ::1 fd77::1",
        "",
      ],
      ["a default route", ["route add default via 10.77.0.254"], "", "10.77.0.254"],
      ["a default route for IPv6", ["-6 route add default via fd77::fe"], "", "10.77.0.254 fd77::fe"],
      [
        "a replaced one",
        ["route replace default via 10.77.0.253"],
        "",
        "10.77.0.253 fd77::fe",
      ],
      [
        "a multipath one",
        ["route replace default nexthop via 10.77.0.250 dev eth0 nexthop via 10.77.0.251 dev eth0"],
        "",
        "10.77.0.250 10.77.0.251 fd77::fe",
      ],
      [
        "one by way of an IPv6 router",
        ["-4 route replace default via inet6 fd77::fd dev eth0"],
        "",
        "fd77::fd fd77::fe",
      ],
      [
        "the two halves a VPN sets, and one in another table",
        [
          "-4 route del default",
          "route add 0.0.0.0/1 via 10.77.0.100",
          "route add 128.0.0.0/1 via 10.77.0.100",
          "route add default via 10.77.0.200 table 7",
          "route add 198.51.100.0/24 via 10.77.0.99",
        ],
        "",
        "10.77.0.100 10.77.0.200 fd77::fe",
      ],
      ["everything gone with its link", ["link set eth0 down"], "", ""],
    ];
    for (const [what, commands, wantAddresses, wantGateways] of STEPS) {
      await t.step(`follows ${what}`, async () => {
        const seen = changed;
        await changes(host, ...commands);
        await until(
          `${wantAddresses} ${wantGateways}, not ${addresses()} ${gateways()}`,
          () => (wantAddresses === "" || addresses() === wantAddresses) && gateways() === wantGateways,
        ).catch((cause) => {
          throw new Error(`Have ${addresses()} and ${gateways()}`, { cause });
        });
        assert.ok(changed > seen, "no listener was told");
      });
    }

    await t.step("a nexthop object that is replaced moves the gateway without a route event", async () => {
      await changes(
        host,
        "link set eth0 up",
        "nexthop add id 5 via 10.77.0.60 dev eth0",
        "route add default nhid 5",
      );
      await until("10.77.0.60", () => gateways().includes("10.77.0.60"));
      await changes(host, "nexthop replace id 5 via 10.77.0.61 dev eth0");
      await until(
        "10.77.0.61",
        () => gateways().includes("10.77.0.61") && !gateways().includes("10.77.0.60"),
      );
    });
    assert.equal(routes.unanswered.failures, 0, routes.unanswered.lastFailure);
  }
  assert.equal(openDescriptors(), before, "descriptors left open");
});

Deno.test("HostRoutes reads everything anew when events were lost", async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  await using routes = host.inside(() => new HostRoutes({ monotonicMs, receiveBytes: 1 }));
  // Not started: nobody reads, so the smallest buffer the kernel gives (2,304 bytes) must run over.
  const batch = Array.from({ length: 200 }, (_, i) => `address add 10.99.0.${i + 1}/32 dev lo`).join("\n");
  await host.out(["ip", "-batch", "-"], { stdin: `${batch}\n` });
  routes.start();
  await until("200 more addresses", () => routes.addresses().length >= 204);
  assert.ok(routes.stats().overruns > 0, "nothing was lost, so this proved nothing");
});
