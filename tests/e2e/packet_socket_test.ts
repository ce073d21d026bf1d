import assert from "node:assert/strict";
import { decodePacket } from "../../src/decode/decode.ts";
import { SyscallError } from "../../src/errors.ts";
import { PacketSocket } from "../../src/ffi/packet_socket.ts";
import { FRAME_DATA_BYTES } from "../../src/ffi/packet_ring.ts";
import { ANCILLARY, BPF, BpfAssembler, type BpfProgram } from "../../src/net/bpf.ts";
import { compileTrap } from "../../src/capture/trap_filter.ts";
import { PortSet } from "../../src/net/ports.ts";
import { openDescriptors } from "../lab/descriptors.ts";
import { Lab, until } from "../lab/lab.ts";
import { FrameSender, RawSender } from "../lab/raw_sender.ts";

const EVERYTHING: BpfProgram = [{ code: BPF.ret, jt: 0, jf: 0, k: 0xffff }];
const NOTHING: BpfProgram = [{ code: BPF.ret, jt: 0, jf: 0, k: 0 }];
const TCP = 6;

/** A TCP or UDP packet as one word, such as `tcp:23`, or why it is none. */
function told(bytes: Uint8Array, wireLength?: number): string {
  const packet = decodePacket(bytes, wireLength);
  if (packet.kind === "unknown") return packet.reason;
  return packet.kind === "icmp" ? `icmp:${packet.type}` : `${packet.kind}:${packet.destPort}`;
}

function drained(socket: PacketSocket, max = 100_000): string[] {
  const packets: string[] = [];
  socket.drain(max, (frame) => packets.push(told(frame.bytes, frame.wireLength)));
  return packets;
}

function trapping(...ports: number[]): BpfProgram {
  const tcp = PortSet.of(...ports);
  const none = new PortSet();
  return compileTrap({ tcp, udp: tcp, sctp: none, icmp: false }, {
    ephemeral: { first: 32768, last: 60999 },
  });
}

Deno.test("PacketSocket gives time, direction, bytes and length of each packet", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using socket = target.inside(() => new PacketSocket(EVERYTHING));
  const before = Date.now() / 1000;
  await other.out(["ping", "-n", "-c", "1", "-s", "1000", target.ipv4]);
  const echoes: { outgoing: boolean; text: string; kept: number; time: number }[] = [];
  socket.drain(100, ({ bytes, wireLength, outgoing, time }) => {
    if (wireLength === 1028) {
      echoes.push({ outgoing, text: told(bytes, wireLength), kept: bytes.length, time });
    }
  });
  assert.deepEqual(echoes.map((echo) => [echo.outgoing, echo.text, echo.kept]), [
    [false, "icmp:8", 1028],
    [true, "icmp:0", 1028],
  ]);
  for (const { time } of echoes) assert.ok(time >= before && time <= Date.now() / 1000 + 1, String(time));
});

Deno.test("PacketSocket holds no packet from before its filter was there", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const flood = other.spawn(["hping3", "-q", "-S", "-p", "23", "-i", "u20", target.ipv4], {
    stdout: "null",
    stderr: "null",
  });
  using witness = target.inside(() => new PacketSocket(trapping(23)));
  await until("the flood is there", () => drained(witness).length > 0);
  for (let i = 0; i < 30; i++) {
    using socket = target.inside(() => new PacketSocket(NOTHING));
    await until("packets passed", () => drained(witness).length > 0);
    assert.deepEqual(drained(socket), []);
    assert.equal(socket.stats().packets, 0);
  }
  flood.kill("SIGKILL");
});

Deno.test("PacketSocket.drain leaves what comes meanwhile for the next time", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using sender = other.inside(() => new RawSender());
  const send = () => sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 23 });
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  send();
  send();
  await until("both are there", () => socket.stats().packets === 2);
  assert.equal(socket.drain(100, send), 2);
  await until("two more are there", () => socket.stats().packets === 4);
  assert.deepEqual([drained(socket, 1).length, drained(socket).length, drained(socket).length], [1, 1, 0]);
});

Deno.test("PacketSocket.setFilter changes what is seen, and a filter that is refused changes nothing", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using sender = other.inside(() => new RawSender());
  const send = (destPort: number) =>
    sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort });
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  socket.setFilter(trapping(25));
  send(23);
  send(25);
  await until("the SYN is there", () => socket.stats().packets > 0);
  assert.throws(() => socket.setFilter([{ code: BPF.ja, jt: 0, jf: 0, k: 5 }]), SyscallError);
  send(23);
  send(25);
  await until("the second SYN is there", () => socket.stats().packets > 1);
  assert.deepEqual(drained(socket), ["tcp:25", "tcp:25"]);
});

Deno.test("PacketSocket.setFilter fails with ENOMEM beyond optmem_max, and keeps the old filter", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  // Kernels that know no such setting of a namespace's own have 20480 anyway.
  await target.run(["sysctl", "-qw", "net.core.optmem_max=20480"]);
  using sender = other.inside(() => new RawSender());
  const odd = (count: number) => trapping(...Array.from({ length: count }, (_, i) => 2 * i + 1));
  using socket = target.inside(() => new PacketSocket(odd(150)));
  socket.setFilter(odd(200));
  assert.throws(() => socket.setFilter(odd(700)), { name: "SyscallError", code: "ENOMEM" });
  sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 1001 });
  sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 399 });
  await until("the SYN is there", () => socket.stats().packets > 0);
  assert.deepEqual(drained(socket), ["tcp:399"]);
});

Deno.test("PacketSocket leaves no descriptor behind, not even when it cannot be opened", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const before = openDescriptors();
  for (let i = 0; i < 20; i++) {
    const socket = target.inside(() => new PacketSocket(NOTHING));
    socket[Symbol.dispose]();
    socket[Symbol.dispose]();
    assert.equal(socket.drain(1, () => assert.fail("a closed socket has no packets")), 0);
    assert.throws(() => new PacketSocket([]), { name: "SyscallError", code: "EINVAL" });
  }
  assert.deepEqual(openDescriptors(), before);
});

Deno.test("C21: PacketSocket shows IPv4 fragments put together, before the filter", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using socket = target.inside(() => new PacketSocket(trapping(23, 24)));
  await other.out(["nmap", "-n", "-Pn", "-sS", "-f", "--max-retries", "0", "-p", "23-25", target.ipv4]);
  const seen: [string, number][] = [];
  socket.drain(100, (frame) => seen.push([told(frame.bytes), frame.wireLength]));
  assert.deepEqual(seen.sort(), [["tcp:23", 44], ["tcp:24", 44]]);
});

Deno.test("F12: PacketSocket gives all of a packet whose port is far behind its IPv6 header", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  using sender = other.inside(() => new RawSender());
  const to = { family: 6, source: other.ipv6, dest: target.ipv6, protocol: TCP, destPort: 23 } as const;
  const lengths = [8, 64, 112, 120, 128, 512, 1400];
  for (const extensionBytes of lengths) sender.send({ ...to, extension: 60, extensionBytes });
  sender.send(to);
  await until("all are there", () => socket.stats().packets > lengths.length);
  const seen: [string, number, number][] = [];
  socket.drain(100, (frame) => seen.push([told(frame.bytes), frame.wireLength, frame.bytes.length]));
  const expected = [...lengths, 0].map((more) => ["tcp:23", 60 + more, 60 + more]);
  assert.deepEqual(seen, expected);
  assert.ok(lengths.some((more) => 60 + more > FRAME_DATA_BYTES));
});

Deno.test("PacketSocket shows a packet once that comes through a bridge, and tells two alike apart", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  for (
    const command of [
      "link add br9 type bridge",
      "link set eth0 master br9",
      "link set br9 up",
      `address del ${target.ipv4}/24 dev eth0`,
      `address add ${target.ipv4}/24 dev br9`,
    ]
  ) await target.out(["ip", ...command.split(" ")]);
  await other.out(["ping", "-n", "-c", "1", "-W", "5", target.ipv4]);
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  using sender = other.inside(() => new RawSender());
  const packet = { source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 23 };
  sender.send(packet);
  sender.send({ ...packet, sourcePort: 7 });
  await until("both are there twice", () => socket.stats().packets >= 4);
  assert.equal(socket.stats().packets, 4, "the bridge and its port each show both");
  assert.deepEqual(drained(socket), ["tcp:23", "tcp:23"]);
});

Deno.test("PacketSocket leaves tagged frames to the VLAN's own interface, except those with a priority only", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  const mac = (await target.out(["cat", "/sys/class/net/eth0/address"])).trim();
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  using sender = other.inside(() => new FrameSender());
  const packet = { source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 23 };
  const tags = [undefined, 7, 0xe007, 4095, 0xe000];
  for (const [index, vlanTag] of tags.entries()) {
    sender.send({ ...packet, sourcePort: 1000 + index }, {
      mac,
      ...(vlanTag === undefined ? {} : { vlanTag }),
    });
  }
  await until("both are there", () => socket.stats().packets >= 2);
  const from: number[] = [];
  socket.drain(100, ({ bytes }) => from.push(new DataView(bytes.buffer, bytes.byteOffset).getUint16(20)));
  assert.deepEqual(from, [1000, 1004]);
});

Deno.test("PacketSocket counts what found no room, and goes on afterwards", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using socket = target.inside(() => new PacketSocket(trapping(23)));
  const flood = other.spawn(["hping3", "-q", "-S", "-p", "23", "--flood", target.ipv4], {
    stdout: "null",
    stderr: "null",
  });
  await until("the ring is full", () => socket.stats().lost > 1000, 30);
  flood.kill("SIGKILL");
  await flood.status;
  const kept = drained(socket);
  const { packets, lost } = socket.stats();
  assert.ok(lost > 1000);
  assert.equal(kept.length, packets - lost);
  using sender = other.inside(() => new RawSender());
  sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort: 23 });
  await until("one more is there", () => socket.stats().packets > packets);
  assert.deepEqual(drained(socket), ["tcp:23"]);
});

Deno.test("PacketSocket goes on behind a packet whose handler failed", async () => {
  await using lab = await Lab.create();
  const [target, other] = [await lab.host(), await lab.host()];
  using socket = target.inside(() => new PacketSocket(trapping(23, 24)));
  using sender = other.inside(() => new RawSender());
  for (const destPort of [23, 24]) {
    sender.send({ source: other.ipv4, dest: target.ipv4, protocol: TCP, destPort });
  }
  await until("both are there", () => socket.stats().packets > 1);
  assert.throws(() =>
    socket.drain(10, () => {
      throw new Error("handler");
    }), /handler/);
  assert.deepEqual(drained(socket), ["tcp:24"]);
});

Deno.test("PacketSocket takes a filter as long as the kernel allows", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const asm = new BpfAssembler();
  for (let i = 0; i < 4095; i++) asm.op(BPF.ld, ANCILLARY.packetType);
  asm.ret(0);
  using _socket = target.inside(() => new PacketSocket(asm.assemble()));
});
