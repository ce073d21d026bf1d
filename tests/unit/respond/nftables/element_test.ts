/** Set elements as bytes: what the kernel's header says, and reading whatever comes. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ELEMENT_BYTES, readElements, writeElements } from "../../../../src/respond/nftables/element.ts";
import { NetlinkWriter } from "../../../../src/net/netlink_message.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOf(elements: Parameters<typeof writeElements>[1]): Uint8Array<ArrayBuffer> {
  const writer = new NetlinkWriter();
  writer.raw(Uint8Array.of(1, 0, 0, 0));
  writeElements(writer, elements);
  return writer.bytes.slice();
}

Deno.test("writeElements nests key, timeout and end as linux/netfilter/nf_tables.h has them", () => {
  const bytes = bytesOf([{
    key: Uint8Array.of(10, 0, 0, 0),
    end: Uint8Array.of(11, 0, 0, 0),
    timeoutMs: 1000.2,
  }]);
  assert.equal(
    hex(bytes),
    [
      "01000000", // struct nfgenmsg
      "38000380", // NFTA_SET_ELEM_LIST_ELEMENTS, nested, 56 bytes
      "1c000180", // NFTA_LIST_ELEM, 28 bytes
      "0c00018008000100", // NFTA_SET_ELEM_KEY { NFTA_DATA_VALUE
      "0a000000", //   10.0.0.0 }
      "0c00040000000000000003e9", // NFTA_SET_ELEM_TIMEOUT: be64 milliseconds, rounded up
      "18000180", // NFTA_LIST_ELEM
      "0c00018008000100", // NFTA_SET_ELEM_KEY { NFTA_DATA_VALUE
      "0b000000", //   11.0.0.0 }
      "0800030000000001", // NFTA_SET_ELEM_FLAGS: NFT_SET_ELEM_INTERVAL_END
    ].join(""),
  );
});

Deno.test("writeElements never needs more bytes than ELEMENT_BYTES besides the keys", () => {
  const key = new Uint8Array(24);
  assert.ok(bytesOf([{ key, end: key, timeoutMs: 5 }]).length - 8 <= 2 * key.length + ELEMENT_BYTES);
});

Deno.test("readElements reads keys, ends and what is left of the time", () => {
  const writer = new NetlinkWriter();
  writer.raw(Uint8Array.of(1, 0, 0, 0));
  writer.nested(3, () => {
    const item = (key: Uint8Array, more: () => void): void =>
      writer.nested(1, () => {
        writer.nested(1, () => writer.attribute(1, key));
        more();
      });
    item(Uint8Array.of(1, 2, 3, 4), () => {
      writer.uint64(4, 60_000);
      writer.uint64(5, 59_123);
    });
    item(Uint8Array.of(2, 0, 0, 0), () => writer.uint64(5, 0));
    item(Uint8Array.of(3, 0, 0, 0), () => writer.uint32(3, 1));
    writer.nested(1, () => writer.uint32(3, 1));
  });
  assert.deepEqual([...readElements(writer.bytes)], [
    { key: Uint8Array.of(1, 2, 3, 4), isEnd: false, remainingMs: 59_123 },
    { key: Uint8Array.of(2, 0, 0, 0), isEnd: false, remainingMs: 1 },
    { key: Uint8Array.of(3, 0, 0, 0), isEnd: true, remainingMs: undefined },
  ]);
});

Deno.test("readElements ends for any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    assert.ok([...readElements(Uint8Array.from(bytes))].length <= bytes.length);
  }));
});
