/** The network changes under the daemon, or tells of more than anybody can read. @module */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { RawSender } from "../lab/raw_sender.ts";
import { bannedInKernel, banOf, BLOCKING, forge, scan, statusOf } from "../lab/siege.ts";

const TCP = 6;

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

Deno.test("netlink overruns: addresses that came while nobody could read of them are protected", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  daemon.process.kill("SIGSTOP");
  const one = ["address add 10.78.0.1/32 dev lo", "address del 10.78.0.1/32 dev lo"];
  const batch = [...new Array(3000).fill(one).flat(), "address add 10.78.0.2/32 dev lo"].join("\n");
  await target.out(["ip", "-batch", "-"], { stdin: `${batch}\n`, seconds: 60 });
  daemon.process.kill("SIGCONT");
  await until("the new address is protected, the others are not", async () => {
    const { protected: spared } = await statusOf(daemon);
    const mine = spared.map(({ address }) => address).filter((address) => address.startsWith("10.78."));
    return mine.length === 1 && mine[0] === "10.78.0.2";
  }, 20);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("namespaces: a daemon in one bans nobody in the other", async () => {
  await using lab = await Lab.create();
  const [one, other, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using first = await Daemon.start(one, { config: BLOCKING });
  await using second = await Daemon.start(other, { config: BLOCKING });
  scan(scanner, one.ipv4);
  await banOf(first, scanner.ipv4);
  assert.deepEqual([await bannedInKernel(one), await bannedInKernel(other)], [[scanner.ipv4], []]);
  scan(scanner, other.ipv4);
  await banOf(second, scanner.ipv4);
});

/** A link that has just come up takes its time until it carries packets: the scanner tries until it is caught. */
async function caught(daemon: Daemon, scanner: Host, address: string): Promise<void> {
  await until(`${scanner.ipv4} is caught`, () => {
    scan(scanner, address);
    return daemon.about(scanner.ipv4, "block").length > 0;
  }, 15);
}
