import assert from "node:assert/strict";
import { RawEngine, type RawEngineOptions } from "../../src/capture/raw_engine.ts";
import { instructionLimit } from "../../src/capture/trap_filter.ts";
import type { Trap } from "../../src/config/trap.ts";
import { formatAddress } from "../../src/net/address.ts";
import { PortSet } from "../../src/net/ports.ts";
import { Collector } from "../lab/collector.ts";
import { DENO } from "../lab/deno.ts";
import { openDescriptors } from "../lab/descriptors.ts";
import { type EngineScene, engineScene } from "../lab/engine_scene.ts";
import { Lab, until } from "../lab/lab.ts";
import { FrameSender, RawSender } from "../lab/raw_sender.ts";

const TCP = 6;
const UDP = 17;
const EPHEMERAL = { first: 32768, last: 60999 };
const FIRST_TWENTY = new PortSet([{ first: 1, last: 20 }]);
const TRAP: Trap = { tcp: FIRST_TWENTY, udp: FIRST_TWENTY, sctp: FIRST_TWENTY, icmp: false };

function scene(options: Partial<RawEngineOptions> = {}): Promise<EngineScene<RawEngine>> {
  return engineScene((sink) => new RawEngine({ sink, trap: TRAP, ephemeral: EPHEMERAL, ...options }));
}

const SCANS: readonly (readonly [readonly string[], string])[] = [
  [["-sS"], "syn"],
  [["-sT"], "syn"],
  [["-sF"], "fin"],
  [["-sN"], "null"],
  [["-sX"], "xmas"],
  [["-sU", "--max-retries", "0"], "udp"],
  [["-sY"], "sctp"],
  [["-sA"], "ack"],
  [["-sW"], "ack"],
  [["-sM"], "maimon"],
  [["-sS", "--scanflags", "SYNURG"], "unknown"],
  [["-sS", "-g", "53"], "syn"],
];
const ONLY_IPV4: typeof SCANS = [
  [["-sS", "-f"], "syn"],
  [["-sX", "-f"], "xmas"],
  [["-sS", "--mtu", "16"], "syn"],
  [["-sS", "--ip-options", "R"], "syn"],
];

for (const family of [4, 6] as const) {
  for (const [argv, scan] of family === 4 ? [...SCANS, ...ONLY_IPV4] : SCANS) {
    Deno.test(`RawEngine sees nmap ${argv.join(" ")} over IPv${family} as ${scan}`, async () => {
      await using all = await scene();
      const address = family === 4 ? all.target.ipv4 : all.target.ipv6;
      const how = family === 4 ? argv : ["-6", ...argv];
      await all.other.out(["nmap", "-n", "-Pn", "-T4", ...how, "-p", "1-22", address]);
      await until("every port was seen", () => all.seen.ports().length >= 20);
      assert.deepEqual(all.seen.ports(), FIRST_TWENTY.ranges().flatMap(each));
      assert.deepEqual(all.seen.scans(), [scan]);
      const sources = new Set(all.seen.probes.map(({ source }) => formatAddress(source)));
      assert.deepEqual([...sources], [family === 4 ? all.other.ipv4 : all.other.ipv6]);
      assert.equal(all.seen.probes.every(({ hasOptions }) => hasOptions), argv.includes("--ip-options"));
    });
  }
}

Deno.test("RawEngine sees hping3's record-route option", async () => {
  await using all = await scene();
  await all.other.run(["hping3", "-q", "-S", "-p", "7", "-c", "1", "--rroute", all.target.ipv4]);
  await until("it was seen", () => all.seen.probes.length > 0);
  assert.deepEqual(all.seen.probes.map(({ port, hasOptions }) => [port, hasOptions]), [[7, true]]);
});

Deno.test("F12: RawEngine sees the port behind IPv6 extension headers of any length and in a first fragment", async () => {
  await using all = await scene();
  using sender = all.other.inside(() => new RawSender());
  const to = { family: 6, source: all.other.ipv6, dest: all.target.ipv6, protocol: TCP } as const;
  sender.send({ ...to, destPort: 1, extension: 60 });
  sender.send({ ...to, destPort: 2, extension: 0 });
  sender.send({ ...to, destPort: 3, extension: 60, extensionBytes: 1400 });
  sender.send({ ...to, destPort: 4, fragment: 1 });
  sender.send({ ...to, destPort: 5, fragment: 1, transportBytes: 8 });
  sender.send({ ...to, destPort: 6, fragment: 0 });
  sender.send({ ...to, destPort: 7, fragment: 8 });
  sender.send({ ...to, destPort: 8 });
  await until("the last was seen", () => all.seen.ports().includes(8));
  assert.deepEqual(all.seen.ports(), [1, 2, 3, 4, 5, 6, 8]);
});

Deno.test("F23: RawEngine sees no broadcast, no multicast, nothing for others, nothing of this host's own", async () => {
  await using all = await scene();
  const { target, other, seen } = all;
  await target.out(["ip", "link", "set", "eth0", "promisc", "on"]);
  await other.out(["ip", "route", "add", "default", "dev", "eth0"]);
  using away = other.inside(() => new RawSender());
  using frames = other.inside(() => new FrameSender());
  using home = target.inside(() => new RawSender());
  for (const protocol of [UDP, TCP]) {
    away.send({ source: other.ipv4, dest: "255.255.255.255", protocol, destPort: 9 });
    away.send({ source: other.ipv4, dest: "10.77.0.255", protocol, destPort: 9 });
    away.send({ source: other.ipv4, dest: "224.0.0.1", protocol, destPort: 9 });
    away.send({ family: 6, source: other.ipv6, dest: "ff02::1", protocol, destPort: 9 });
    frames.send({ source: other.ipv4, dest: target.ipv4, protocol, destPort: 9 }, {
      mac: "02:00:00:00:00:63",
    });
    home.send({ source: target.ipv4, dest: target.ipv4, protocol, destPort: 9 });
    home.send({ source: target.ipv4, dest: other.ipv4, protocol, destPort: 9 });
    home.send({ family: 6, source: target.ipv6, dest: other.ipv6, protocol, destPort: 9 });
  }
  away.send({ source: other.ipv4, dest: target.ipv4, protocol: UDP, destPort: 10 });
  await until("the last was seen", () => seen.ports().includes(10));
  assert.deepEqual(seen.ports(), [10]);
  assert.deepEqual([seen.sent, seen.others], [[], []]);
});

Deno.test("F18: RawEngine shows which UDP this host sent from a trapped port", async () => {
  await using all = await scene();
  using home = all.target.inside(() => new RawSender());
  home.send({ source: all.target.ipv4, dest: all.other.ipv4, protocol: UDP, sourcePort: 11, destPort: 53 });
  home.send({ source: all.target.ipv4, dest: all.other.ipv4, protocol: UDP, sourcePort: 21, destPort: 53 });
  home.send({
    family: 6,
    source: all.target.ipv6,
    dest: all.other.ipv6,
    protocol: UDP,
    sourcePort: 12,
    destPort: 5353,
  });
  await until("both were seen", () => all.seen.sent.length >= 2);
  assert.deepEqual(all.seen.sent.map(({ sourcePort, port }) => [sourcePort, port]), [[11, 53], [12, 5353]]);
  assert.deepEqual(all.seen.probes, []);
});

Deno.test("RawEngine.setTrap watches other ports from then on", async () => {
  await using all = await scene();
  using sender = all.other.inside(() => new RawSender());
  const send = (destPort: number) =>
    sender.send({ source: all.other.ipv4, dest: all.target.ipv4, protocol: TCP, destPort });
  all.engine.setTrap({ ...TRAP, tcp: PortSet.of(900) });
  [5, 900, 901].forEach(send);
  await until("it was seen", () => all.seen.probes.length > 0);
  all.engine.setTrap({ ...TRAP, tcp: PortSet.of(901) });
  [5, 900, 901].forEach(send);
  await until("it was seen", () => all.seen.probes.length > 1);
  assert.deepEqual(all.seen.probes.map(({ port }) => port), [900, 901]);
});

Deno.test("RawEngine watches five thousand separate ranges, with much or little memory for the filter", async () => {
  const tcp = new PortSet(
    Array.from({ length: 5000 }, (_, i) => ({ first: 1000 + 12 * i, last: 1000 + 12 * i + (i % 3) })),
  );
  for (const optmem of [{}, { maxInstructions: instructionLimit(20480) }]) {
    await using all = await scene({ trap: { ...TRAP, tcp }, ...optmem });
    all.engine.setTrap({ ...TRAP, tcp: new PortSet([...tcp.ranges(), { first: 1, last: 1 }]) });
    using sender = all.other.inside(() => new RawSender());
    const asked = [1, ...tcp.ranges().flatMap(each)];
    for (const destPort of asked) {
      sender.send({ source: all.other.ipv4, dest: all.target.ipv4, protocol: TCP, destPort });
    }
    await until("all were seen", () => all.seen.ports().length >= asked.length);
    assert.deepEqual(all.seen.ports(), asked);
    assert.equal(all.engine.stats().lost, 0);
  }
});

Deno.test("RawEngine leaves the event loop free during a flood, in bounded batches, and accounts for every packet", async () => {
  await using all = await scene();
  const flood = all.other.spawn(["hping3", "-q", "-S", "-p", "7", "--flood", all.target.ipv4], {
    stdout: "null",
    stderr: "null",
  });
  let turns = 0;
  const ticking = setInterval(() => turns++, 10);
  await until("the flood is there", () => all.engine.stats().trapped > 50_000, 30);
  const before = turns;
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const during = turns - before;
  flood.kill("SIGKILL");
  await flood.status;
  clearInterval(ticking);
  assert.ok(during > 20, `${during} turns of a 10 ms timer in 2 s of flood`);
  assert.ok(Math.max(...all.seen.batches) <= 4096);
  const { trapped, reported, lost } = await until("everything was read", () => {
    const stats = all.engine.stats();
    return stats.reported + stats.lost === stats.trapped && stats;
  });
  assert.ok(trapped > 50_000 && reported > lost, JSON.stringify({ trapped, reported, lost }));
  assert.equal(all.seen.batches.reduce((sum, size) => sum + size, 0), reported);
});

Deno.test("RawEngine delivers nothing after its disposal, in the middle of a flood, and leaves no descriptor", async () => {
  const before = openDescriptors();
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const flood = other.spawn(["hping3", "-q", "-S", "-p", "7", "-i", "u20", target.ipv4], {
    stdout: "null",
    stderr: "null",
  });
  for (let i = 0; i < 5; i++) {
    const seen = new Collector();
    const engine = new RawEngine({ sink: seen, trap: TRAP, ephemeral: EPHEMERAL });
    await target.inside(() => engine.start());
    await until("packets come", () => seen.probes.length > 5);
    engine[Symbol.dispose]();
    const last = seen.probes.length;
    const stats = engine.stats();
    await engine.stop();
    await engine.stop();
    assert.equal(seen.probes.length, last);
    assert.deepEqual(engine.stats(), stats);
    assert.equal(stats.reported, last);
  }
  flood.kill("SIGKILL");
  await flood.status;
  await lab[Symbol.asyncDispose]();
  assert.deepEqual(openDescriptors(), before);
});

Deno.test("RawEngine delivers nothing more when its sink disposes of it", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const seen = new Collector();
  const engine = new RawEngine({
    sink: {
      frame: (frame) => {
        seen.frame(frame);
        if (seen.probes.length === 3) engine[Symbol.dispose]();
      },
      contact: (contact) => seen.contact(contact),
      flush: () => seen.flush(),
    },
    trap: TRAP,
    ephemeral: EPHEMERAL,
  });
  await target.inside(() => engine.start());
  using sender = other.inside(() => new RawSender());
  // Sent in one go: the engine cannot read before this test lets go of the thread.
  for (let destPort = 1; destPort <= 10; destPort++) {
    sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort });
  }
  await until("the third was seen", () => seen.probes.length >= 3);
  await engine.stop();
  assert.deepEqual([seen.probes.length, engine.stats().reported], [3, 3]);
});

Deno.test("RawEngine says what it needs when it may not open a packet socket", async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  const engine = new URL("../../src/capture/raw_engine.ts", import.meta.url).pathname;
  const script = `
    const { RawEngine } = await import(${JSON.stringify(engine)});
    const { PortSet } = await import(${JSON.stringify(engine.replace("capture/raw_engine", "net/ports"))});
    const none = new PortSet();
    const trap = { tcp: none, udp: none, sctp: none, icmp: false };
    try {
      await new RawEngine({ sink: undefined, trap, ephemeral: { first: 1, last: 2 } }).start();
    } catch (error) {
      console.log(error.exitCode, error.message);
    }`;
  const without = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"];
  const out = await host.out([...without, DENO, "eval", "--no-check", script]);
  assert.match(out, /^77 Cannot open a packet socket: .*CAP_NET_RAW/);
});

function each(range: { readonly first: number; readonly last: number }): number[] {
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => range.first + i);
}
