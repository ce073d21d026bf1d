import assert from "node:assert/strict";
import { ConnectEngine, type ConnectEngineOptions } from "../../src/capture/connect_engine.ts";
import { compileTrap } from "../../src/capture/trap_filter.ts";
import { UserError } from "../../src/errors.ts";
import { PacketSocket } from "../../src/ffi/packet_socket.ts";
import { formatAddress } from "../../src/net/address.ts";
import { PortSet } from "../../src/net/ports.ts";
import { Collector } from "../lab/collector.ts";
import { openDescriptors } from "../lab/descriptors.ts";
import { type EngineScene, engineScene } from "../lab/engine_scene.ts";
import { Lab, until } from "../lab/lab.ts";
import { RawSender } from "../lab/raw_sender.ts";

const UDP = 17;
const NONE = new PortSet();
const TEN = new PortSet([{ first: 1, last: 10 }]);
const BANNER = "*** you are being watched ***";

function scene(options: Partial<ConnectEngineOptions> = {}): Promise<EngineScene<ConnectEngine>> {
  return engineScene((sink) => new ConnectEngine({ sink, tcp: NONE, udp: NONE, now: () => 42, ...options }));
}

function told(seen: Collector): string[] {
  return seen.contacts.map(({ protocol, source, dest, port }) =>
    `${formatAddress(source)} > ${formatAddress(dest)} ${protocol} ${port}`
  );
}

for (const family of [4, 6] as const) {
  Deno.test(`ConnectEngine takes each handshake of nmap -sT over IPv${family} for a contact`, async () => {
    await using all = await scene({ tcp: TEN });
    const [from, to] = family === 4 ? [all.other.ipv4, all.target.ipv4] : [all.other.ipv6, all.target.ipv6];
    const six = family === 4 ? [] : ["-6"];
    const out = await all.other.out(["nmap", "-n", "-Pn", ...six, "-sT", "-p", "1-11", "-oG", "-", to]);
    await until("every port was reached", () => all.seen.contacts.length >= 10);
    const expected = TEN.ranges().flatMap(each).map((port) => `${from} > ${to} tcp ${port}`);
    assert.deepEqual(told(all.seen).sort(), expected.sort());
    assert.equal(out.match(/\/open\/tcp/g)?.length, 10);
    assert.ok(all.seen.contacts.every(({ time }) => time === 42));
    assert.deepEqual(all.engine.stats(), { trapped: 10, reported: 10, lost: 0 });
  });

  Deno.test(`ConnectEngine takes a datagram over IPv${family} for a contact, to the address it was sent to`, async () => {
    await using all = await scene({ udp: TEN });
    const to = family === 4 ? all.target.ipv4 : all.target.ipv6;
    const six = family === 4 ? [] : ["-6"];
    const nmap = ["nmap", "-n", "-Pn", ...six, "-sU", "--max-retries", "0", "-p", "1-10", to];
    await all.other.out(nmap);
    const expected = TEN.ranges().flatMap(each).map((port) =>
      `${family === 4 ? all.other.ipv4 : all.other.ipv6} > ${to} udp ${port}`
    );
    await until("every port was reached", () => new Set(told(all.seen)).size >= 10);
    assert.deepEqual([...new Set(told(all.seen))].sort(), expected.sort());
  });
}

Deno.test("ConnectEngine takes no half-open connection for a contact", async () => {
  await using all = await scene({ tcp: TEN });
  await all.other.out(["nmap", "-n", "-Pn", "-sS", "-p", "1-9", all.target.ipv4]);
  await all.other.out(["nc", "-n", "-w", "5", all.target.ipv4, "10"]);
  await until("the handshake was seen", () => all.seen.contacts.length > 0);
  assert.deepEqual(told(all.seen), [`${all.other.ipv4} > ${all.target.ipv4} tcp 10`]);
});

Deno.test("ConnectEngine sends the banner and closes, whatever the caller does", async () => {
  await using all = await scene({ tcp: TEN, banner: BANNER });
  for (let i = 0; i < 3; i++) {
    const said = await all.other.out(["nc", "-n", "-d", "-w", "20", all.target.ipv4, "7"], { seconds: 10 });
    assert.equal(said, BANNER);
  }
  await until("all were seen", () => all.seen.contacts.length >= 3);
  assert.equal(await all.target.out(["ss", "-Hnt", "state", "established"]), "");
});

Deno.test("ConnectEngine answers a datagram with no more bytes than it had", async () => {
  await using all = await scene({ udp: TEN, banner: BANNER });
  const ask = (text: string) =>
    all.other.out(["nc", "-n", "-u", "-w", "1", all.target.ipv4, "7"], { stdin: text });
  assert.equal(await ask("hello"), BANNER.slice(0, 5));
  assert.equal(await ask("x".repeat(500)), BANNER);
});

Deno.test("ConnectEngine is no reflector: it answers few datagrams of a flood, and an empty one never", async () => {
  await using all = await scene({ udp: TEN, banner: BANNER });
  const trap = { tcp: NONE, udp: PortSet.of(7777), sctp: NONE, icmp: false };
  const filter = compileTrap(trap, { ephemeral: { first: 32768, last: 60999 } });
  using victim = all.other.inside(() => new PacketSocket(filter));
  using sender = all.other.inside(() => new RawSender());
  const packet = {
    source: all.other.ipv4,
    dest: all.target.ipv4,
    protocol: UDP,
    sourcePort: 7777,
    destPort: 7,
  };
  sender.send(packet);
  await until("the empty one was seen", () => all.seen.contacts.length > 0);
  for (let i = 0; i < 400; i++) {
    sender.send({ ...packet, payload: 8 });
    // A trap's receive buffer is small.
    if (i % 10 === 0) await until("those so far were seen", () => all.seen.contacts.length > i);
  }
  await until("all were seen", () => all.seen.contacts.length >= 401);
  const answers: number[] = [];
  victim.drain(1000, ({ outgoing, wireLength }) => outgoing || answers.push(wireLength));
  assert.ok(answers.length >= 1 && answers.length <= 40, `${answers.length} answers`);
  assert.deepEqual([...new Set(answers)], [28 + 8]);
});

Deno.test("ConnectEngine counts the datagrams that found no room", async () => {
  await using all = await scene({ udp: TEN });
  using sender = all.other.inside(() => new RawSender());
  const packet = { source: all.other.ipv4, dest: all.target.ipv4, protocol: UDP, destPort: 7 };
  // In one go: the engine cannot read before this test lets go of the thread.
  for (let i = 0; i < 500; i++) sender.send(packet);
  await until("some were seen", () => all.seen.contacts.length > 0);
  await until("all is counted", () => {
    sender.send({ ...packet, destPort: 7 });
    const { trapped, reported, lost } = all.engine.stats();
    return lost > 100 && trapped >= 500 && reported === all.seen.contacts.length;
  });
});

Deno.test("F23: ConnectEngine takes no broadcast and no multicast for a contact", async () => {
  await using all = await scene({ udp: TEN });
  await all.other.out(["ip", "route", "add", "default", "dev", "eth0"]);
  using sender = all.other.inside(() => new RawSender());
  const packet = { source: all.other.ipv4, protocol: UDP, destPort: 9 };
  for (const dest of ["255.255.255.255", "10.77.0.255", "224.0.0.1"]) sender.send({ ...packet, dest });
  sender.send({ ...packet, dest: all.target.ipv4 });
  await until("the last was seen", () => all.seen.contacts.length > 0);
  assert.deepEqual(told(all.seen), [`${all.other.ipv4} > ${all.target.ipv4} udp 9`]);
});

Deno.test("F15: ConnectEngine names the ports that it cannot bind, and watches the others under their own numbers", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const listening = target.spawn(["nc", "-n", "-l", "-k", "127.0.0.1", "3"]);
  await until("the service listens", async () => (await target.out(["ss", "-Hltn"])).includes(":3 "));
  const seen = new Collector();
  const engine = new ConnectEngine({
    sink: seen,
    tcp: new PortSet([{ first: 0, last: 4 }]),
    udp: PortSet.of(3),
  });
  await target.inside(() => engine.start());
  assert.deepEqual(engine.skipped, [
    { protocol: "tcp", port: 0, error: "EINVAL" },
    { protocol: "tcp", port: 3, error: "EADDRINUSE" },
  ]);
  await other.out(["nmap", "-n", "-Pn", "-sT", "-p", "1-5", target.ipv4]);
  await until("three were reached", () => seen.contacts.length >= 3);
  assert.deepEqual(seen.contacts.map(({ port }) => port).sort(), [1, 2, 4]);
  await engine.stop();
  listening.kill("SIGKILL");
});

Deno.test("ConnectEngine works where there is no IPv6", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  await target.out(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
  const seen = new Collector();
  const engine = new ConnectEngine({ sink: seen, tcp: TEN, udp: TEN });
  await target.inside(() => engine.start());
  assert.deepEqual(engine.skipped, []);
  await other.out(["nmap", "-n", "-Pn", "-sT", "-p", "1-10", target.ipv4]);
  await until("every port was reached", () => seen.contacts.length >= 10);
  await engine.stop();
});

Deno.test("ConnectEngine binds a thousand ports of each protocol, misses no caller, and leaves no descriptor", async () => {
  const before = openDescriptors();
  const thousand = new PortSet([{ first: 1, last: 1000 }]);
  {
    await using all = await scene({ tcp: thousand, udp: thousand });
    assert.deepEqual(all.engine.skipped, []);
    await all.other.out(["nmap", "-n", "-Pn", "-T4", "-sT", "-p", "1-1000", all.target.ipv4]);
    await until("every port was reached", () => new Set(told(all.seen)).size >= 1000);
    assert.ok(all.seen.batches.every((size) => size > 0));
  }
  assert.deepEqual(openDescriptors(), before);
});

Deno.test("ConnectEngine says what to raise when the ports do not fit the limit of open files", async () => {
  const thousand = new PortSet([{ first: 1, last: 1000 }]);
  const before = openDescriptors();
  const sink = new Collector();
  const engine = new ConnectEngine({ sink, tcp: thousand, udp: NONE, descriptors: 1024 });
  await assert.rejects(engine.start(), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /1000 ports.*1256 open files.*1024.*LimitNOFILE=/);
    return true;
  });
  assert.deepEqual(openDescriptors(), before);
});

Deno.test("ConnectEngine delivers nothing after its disposal and frees its ports", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  for (let i = 0; i < 3; i++) {
    const seen = new Collector();
    const engine = new ConnectEngine({ sink: seen, tcp: TEN, udp: TEN });
    await target.inside(() => engine.start());
    assert.deepEqual(engine.skipped, []);
    await other.out(["nc", "-n", "-d", "-w", "5", target.ipv4, "7"]);
    await until("it was reached", () => seen.contacts.length > 0);
    engine[Symbol.dispose]();
    await engine.stop();
    await engine.stop();
    assert.equal(seen.contacts.length, 1);
  }
});

function each(range: { readonly first: number; readonly last: number }): number[] {
  return Array.from({ length: range.last - range.first + 1 }, (_, i) => range.first + i);
}
