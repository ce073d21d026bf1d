import fc from "fast-check";
import assert from "node:assert/strict";
import { type IpPacket, Reassembler } from "../../../src/capture/reassembly.ts";
import { decodePacket } from "../../../src/decode/decode.ts";
import { concat, extension, fragment6, ip, tcp, udp } from "../../lab/packets.ts";

const A = "192.0.2.1";
const B = "198.51.100.2";
const A6 = "2001:db8::1";
const B6 = "2001:db8::2";
const SEGMENT = concat(tcp({ to: 22, dataOffset: 6 }), new Uint8Array(4));

type Cut = readonly [from: number, to: number];

/** The parts of an IPv4 packet. `last`: which end is the end. */
function cut4(
  payload: Uint8Array,
  cuts: readonly Cut[],
  options: { id?: number; protocol?: number } = {},
): IpPacket[] {
  return cuts.map(([from, to]) => {
    const more = to < payload.length ? 0x2000 : 0;
    return packet(
      ip({ from: A, to: B, ...options, payload: payload.subarray(from, to), fragment: more | (from / 8) }),
    );
  });
}

function cut6(payload: Uint8Array, cuts: readonly Cut[], next = 6): IpPacket[] {
  return cuts.map(([from, to]) => {
    const part = fragment6({
      next,
      offset: from,
      more: to < payload.length,
      payload: payload.subarray(from, to),
    });
    return packet(ip({ from: A6, to: B6, protocol: 44, payload: part }));
  });
}

function packet(bytes: Uint8Array): IpPacket {
  return { bytes, wireLength: bytes.length };
}

function joined(parts: readonly IpPacket[], step = 0): readonly string[] {
  const reassembler = new Reassembler();
  return parts.map((part, index) => {
    const whole = reassembler.add(part, 1000 + index * step);
    if (whole === undefined) return "-";
    const seen = decodePacket(whole.bytes, whole.wireLength);
    if (seen.kind === "unknown") return seen.reason;
    return seen.kind === "tcp" ? `tcp ${seen.destPort} flags ${seen.flags}` : seen.kind;
  });
}

const SYN = "tcp 22 flags 2";

Deno.test("Reassembler gives a packet that is no fragment back as it is", () => {
  for (
    const bytes of [
      ip({ from: A, to: B, payload: SEGMENT }),
      ip({ from: A6, to: B6, payload: SEGMENT }),
      new Uint8Array(3),
    ]
  ) {
    const whole = packet(bytes);
    assert.equal(new Reassembler().add(whole, 1), whole);
  }
});

Deno.test("C21: Reassembler puts together what nmap -f cuts, in any order, over IPv4 and IPv6", () => {
  const cuts: Cut[] = [[0, 8], [8, 16], [16, 24]];
  for (const cut of [cut4, cut6]) {
    const [first, second, third] = cut(SEGMENT, cuts);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    for (
      const order of [[first, second, third], [third, first, second], [second, third, first], [
        third,
        second,
        first,
      ]]
    ) {
      assert.deepEqual(joined(order), ["-", "-", SYN]);
    }
  }
});

Deno.test("Reassembler finds the fragment header behind routing headers, and keeps those", () => {
  const parts: Uint8Array[] = [[0, 16], [16, 24]].map(([from = 0, to = 0]) => {
    const part = fragment6({ next: 6, offset: from, more: to < 24, payload: SEGMENT.subarray(from, to) });
    return ip({ from: A6, to: B6, protocol: 0, payload: extension(43, extension(44, part)) });
  });
  assert.deepEqual(joined(parts.map(packet)), ["-", SYN]);
});

Deno.test("F12: Reassembler joins extension headers that were cut up as well", () => {
  const payload = extension(6, SEGMENT, 1);
  assert.deepEqual(joined(cut6(payload, [[0, 8], [8, 24], [24, 40]], 60)), ["-", "-", SYN]);
});

Deno.test("Reassembler leaves an atomic fragment to the decoder", () => {
  const bytes = ip({
    from: A6,
    to: B6,
    protocol: 44,
    payload: fragment6({ next: 6, offset: 0, more: false, payload: SEGMENT }),
  });
  assert.deepEqual(joined([packet(bytes)]), [SYN]);
});

const REFUSED: readonly (readonly [name: string, cuts: readonly Cut[]])[] = [
  ["a part that is missing", [[0, 8], [16, 24]]],
  ["no first part", [[8, 16], [16, 24]]],
  ["no last part", [[0, 8], [8, 16]]],
  ["parts that overlap (flags written twice)", [[0, 16], [8, 24]]],
  ["a part within another", [[0, 16], [8, 16], [16, 24]]],
  ["the same start, another end", [[0, 8], [0, 16], [16, 24]]],
];

for (const [name, cuts] of REFUSED) {
  Deno.test(`Reassembler makes nothing of ${name}`, () => {
    for (const cut of [cut4, cut6]) assert.ok(joined(cut(SEGMENT, cuts)).every((result) => result === "-"));
  });
}

Deno.test("Reassembler makes nothing of parts that overlap and leave a hole of the same size", () => {
  const long = concat(SEGMENT, new Uint8Array(8));
  for (const cut of [cut4, cut6]) {
    assert.deepEqual(joined(cut(long, [[0, 16], [8, 16], [24, 32]])), ["-", "-", "-"]);
  }
});

Deno.test("Reassembler makes nothing of data behind the last part", () => {
  const long = concat(SEGMENT, new Uint8Array(16));
  const parts = [...cut4(SEGMENT, [[16, 24]]), ...cut4(long, [[24, 32]]), ...cut4(SEGMENT, [[0, 16]])];
  assert.deepEqual(joined(parts), ["-", "-", "-"]);
});

Deno.test("Reassembler makes nothing of a middle part that is no multiple of 8", () => {
  const part = packet(ip({ from: A, to: B, payload: SEGMENT.subarray(0, 12), fragment: 0x2000 }));
  assert.deepEqual(joined([part, ...cut4(SEGMENT, [[16, 24]])]), ["-", "-"]);
});

Deno.test("Reassembler counts an exact duplicate once", () => {
  assert.deepEqual(joined(cut4(SEGMENT, [[0, 8], [0, 8], [8, 16], [16, 24]])), ["-", "-", "-", SYN]);
});

Deno.test("Reassembler keeps datagrams apart by number, protocol and addresses", () => {
  const [first] = cut4(SEGMENT, [[0, 16]]);
  assert.ok(first !== undefined);
  for (const [other] of [cut4(SEGMENT, [[16, 24]], { id: 2 }), cut4(SEGMENT, [[16, 24]], { protocol: 17 })]) {
    assert.ok(other !== undefined);
    assert.deepEqual(joined([first, other]), ["-", "-"]);
  }
});

Deno.test("Reassembler waits 30 seconds for the rest, and no longer", () => {
  assert.deepEqual(joined(cut4(SEGMENT, [[0, 16], [16, 24]]), 30), ["-", SYN]);
  assert.deepEqual(joined(cut4(SEGMENT, [[0, 16], [16, 24]]), 31), ["-", "-"]);
});

Deno.test("Reassembler joins a large datagram and keeps only where its headers are", () => {
  const payload = udp({ to: 2049, payload: new Uint8Array(8000) });
  const cuts: Cut[] = [[0, 1480], [1480, 2960], [2960, 4440], [4440, 5920], [5920, 7400], [7400, 8008]];
  const reassembler = new Reassembler();
  const wholes = cut4(payload, cuts, { protocol: 17 }).map((part) => reassembler.add(part, 1));
  const whole = wholes.at(-1);
  assert.ok(whole !== undefined && whole.bytes.length < 1000);
  assert.equal(whole.wireLength, 8028);
  assert.equal(decodePacket(whole.bytes, whole.wireLength).kind, "udp");
});

Deno.test("Reassembler never makes up flags that a short capture cut off", () => {
  const parts = cut4(SEGMENT, [[0, 16], [16, 24]]).map(({ bytes, wireLength }) => ({
    bytes: bytes.subarray(0, 28),
    wireLength,
  }));
  assert.deepEqual(joined(parts), ["-", "truncated"]);
});

Deno.test("Reassembler forgets the oldest of too many unfinished datagrams", () => {
  const reassembler = new Reassembler();
  const [first, last] = cut4(SEGMENT, [[0, 16], [16, 24]], { id: 50_000 });
  assert.ok(first !== undefined && last !== undefined);
  reassembler.add(first, 1);
  for (let id = 0; id < 1023; id++) {
    for (const part of cut4(SEGMENT, [[0, 16]], { id })) reassembler.add(part, 1);
  }
  assert.ok(reassembler.add(last, 1) !== undefined);
  reassembler.add(first, 1);
  for (let id = 2000; id < 3024; id++) {
    for (const part of cut4(SEGMENT, [[0, 16]], { id })) reassembler.add(part, 1);
  }
  assert.equal(reassembler.add(last, 1), undefined);
});

Deno.test("Reassembler never throws for any bytes", () => {
  const [first] = cut6(SEGMENT, [[0, 16]]);
  const [second] = cut4(SEGMENT, [[0, 16]]);
  assert.ok(first !== undefined && second !== undefined);
  const start = fc.constantFrom(first.bytes, second.bytes);
  const edits = fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(
      start,
      edits,
      fc.nat(80),
      fc.nat(100_000),
      fc.double(),
      (bytes, changes, length, wireLength, time) => {
        const copy = bytes.slice(0, length);
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        const reassembler = new Reassembler();
        reassembler.add({ bytes: copy, wireLength }, time);
        reassembler.add({ bytes: copy, wireLength }, time + 1);
      },
    ),
    { numRuns: 3000 },
  );
});
