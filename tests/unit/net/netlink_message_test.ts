/** Netlink framing: what is written is read back, and lying lengths end the reading. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  errorNumber,
  findAttribute,
  NetlinkWriter,
  readAttributes,
  readMessages,
  readUint16,
  readUint32,
  readUint64,
} from "../../../src/net/netlink_message.ts";

Deno.test("readMessages and readAttributes give back what NetlinkWriter wrote", () => {
  const value = fc.uint8Array({ maxLength: 40 });
  const attribute = fc.tuple(fc.integer({ min: 1, max: 0x3fff }), value);
  const message = fc.tuple(
    fc.nat(0xffff),
    fc.nat(0xffff),
    fc.nat(0xffffffff),
    fc.array(attribute, { maxLength: 8 }),
  );
  fc.assert(fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
    const writer = new NetlinkWriter(16);
    for (const [type, flags, sequence, attributes] of messages) {
      writer.message({ type, flags, sequence }, () => {
        for (const [number, bytes] of attributes) writer.attribute(number, bytes);
      });
    }
    const read = [...readMessages(writer.bytes)].map(({ type, flags, sequence, payload }) => [
      type,
      flags,
      sequence,
      [...readAttributes(payload)].map((found) => [found.type, [...found.value]]),
    ]);
    assert.deepEqual(
      read,
      messages.map(([type, flags, sequence, list]) => [
        type,
        flags,
        sequence,
        list.map(([number, bytes]) => [number, [...bytes]]),
      ]),
    );
  }));
});

Deno.test("NetlinkWriter pads with zeros, also where something was written before, and writes numbers in network order", () => {
  const writer = new NetlinkWriter(16);
  writer.attribute(1, new Uint8Array(40).fill(0xff));
  writer.reset();
  writer.attribute(1, Uint8Array.of(0xaa));
  writer.uint32(2, 0xfffefdfc);
  writer.uint64(3, 2 ** 40 + 2 ** 31 + 5);
  assert.deepEqual([...writer.bytes], [
    ...[5, 0, 1, 0, 0xaa, 0, 0, 0],
    ...[8, 0, 2, 0, 0xff, 0xfe, 0xfd, 0xfc],
    ...[12, 0, 3, 0, 0, 0, 1, 0, 0x80, 0, 0, 5],
  ]);
});

Deno.test("readMessages and readAttributes take any bytes: they end, stay inside, and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(310), (any, offset) => {
      const bytes = new Uint8Array(any);
      for (const message of readMessages(bytes)) assert.ok(message.payload.length <= bytes.length - 16);
      for (const attribute of readAttributes(bytes, offset)) {
        assert.ok(attribute.value.length <= bytes.length - 4);
      }
      findAttribute(bytes, 1, offset);
      errorNumber(bytes);
    }),
    { numRuns: 2000 },
  );
});

const LYING: readonly [string, readonly number[], number][] = [
  ["no bytes", [], 0],
  ["half a header", [16, 0, 0, 0, 1, 0, 0, 0], 0],
  ["a length of 0", new Array<number>(32).fill(0), 0],
  ["a length below the header's", [15, ...new Array<number>(31).fill(0)], 0],
  ["a length beyond the end", [33, ...new Array<number>(31).fill(0)], 0],
  ["a length of 4 GiB", [255, 255, 255, 255, ...new Array<number>(28).fill(0)], 0],
  ["one that fits and one that does not", [
    16,
    ...new Array<number>(15).fill(0),
    17,
    ...new Array<number>(15).fill(0),
  ], 1],
];
for (const [what, bytes, count] of LYING) {
  Deno.test(`readMessages reads ${count} of ${what}`, () => {
    assert.equal([...readMessages(Uint8Array.from(bytes))].length, count);
  });
}

Deno.test("numbers that are not there read as 0", () => {
  const short = Uint8Array.of(1);
  assert.deepEqual([readUint16(short), readUint32(short), readUint64(short), errorNumber(short)], [
    0,
    0,
    0,
    0,
  ]);
  assert.deepEqual([readUint16(undefined), readUint32(undefined), readUint64(undefined)], [0, 0, 0]);
  const eight = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2);
  assert.deepEqual([readUint16(eight, 2), readUint32(eight, 4), readUint64(eight)], [1, 2, 0x100000002]);
});
