/** NFLOG messages as bytes: requests as the header has them, packets from whatever arrives. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  NFLOG_GROUP,
  readLoggedPackets,
  wireLengthOf,
  writeBind,
  writeGathering,
  writeGroupOptions,
} from "../../../src/capture/nflog.ts";
import { NetlinkWriter } from "../../../src/net/netlink_message.ts";
import { packetBytes } from "../../lab/made_packet.ts";

const PACKET_TYPE = 0x400;

function hex(write: (writer: NetlinkWriter) => void): string {
  const writer = new NetlinkWriter();
  write(writer);
  return [...writer.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Logged {
  readonly payload: Uint8Array;
  readonly sequence?: number;
  readonly seconds?: bigint;
}

function datagram(packets: readonly Logged[]): Uint8Array<ArrayBuffer> {
  const writer = new NetlinkWriter();
  for (const { payload, sequence, seconds } of packets) {
    writer.message({ type: PACKET_TYPE, flags: 0, sequence: 0 }, () => {
      writer.raw(Uint8Array.of(2, 0, 0x13, 0x99));
      writer.attribute(1, Uint8Array.of(8, 0, 1, 0));
      if (seconds !== undefined) {
        const time = new Uint8Array(16);
        new DataView(time.buffer).setBigUint64(0, seconds);
        new DataView(time.buffer).setBigUint64(8, 250_000n);
        writer.attribute(3, time);
      }
      writer.attribute(9, payload);
      if (sequence !== undefined) writer.uint32(12, sequence);
    });
  }
  writer.message({ type: 3, flags: 0, sequence: 0 }, () => writer.raw(new Uint8Array(4)));
  return writer.bytes.slice();
}

function read(bytes: Uint8Array<ArrayBuffer>, copyBytes = 128): unknown[] {
  const seen: unknown[] = [];
  readLoggedPackets(bytes, { copyBytes, now: 99.5 }, (frame, sequence) => {
    seen.push({ ...frame, bytes: [...frame.bytes], sequence });
  });
  return seen;
}

Deno.test("the two groups are different and outside what other programs use by default", () => {
  assert.notEqual(NFLOG_GROUP.first, NFLOG_GROUP.held);
  for (const group of Object.values(NFLOG_GROUP)) assert.ok(group > 100 && group < 65536);
});

Deno.test("writeBind, writeGroupOptions and writeGathering are what linux/netfilter/nfnetlink_log.h says", () => {
  // struct nlmsghdr, then struct nfgenmsg with the group as be16, then the attributes.
  assert.equal(
    hex((writer) => writeBind(writer, 5017, 7)),
    "1c000000" + "0104" + "0500" + "07000000" + "00000000" + "00001399" + "0500010001000000",
  );
  assert.equal(
    hex((writer) =>
      writeGroupOptions(writer, { group: 5017, sequence: 8 }, { copyBytes: 128, bufferBytes: 16384 })
    ),
    "30000000" + "0104" + "0500" + "08000000" + "00000000" + "00001399" +
      "0a000200" + "00000080" + "0200" + "0000" + // be32 copy_range, u8 NFULNL_COPY_PACKET
      "08000300" + "00004000" +
      "06000600" + "0001" + "0000", // be16 NFULNL_CFG_F_SEQ
  );
  assert.equal(
    hex((writer) => writeGathering(writer, { group: 5018, sequence: 9 }, { threshold: 32, timeoutCs: 1 })),
    "24000000" + "0104" + "0500" + "09000000" + "00000000" + "0000139a" + "0800050000000020" +
      "0800040000000001",
  );
});

Deno.test("readLoggedPackets gives bytes, time, number and length of each packet", () => {
  const packet = packetBytes({ protocol: 6, destPort: 23 });
  assert.deepEqual(
    read(datagram([{ payload: packet, sequence: 5, seconds: 1_700_000_000n }, { payload: packet }])),
    [
      { time: 1_700_000_000.25, bytes: [...packet], wireLength: 40, outgoing: false, sequence: 5 },
      { time: 99.5, bytes: [...packet], wireLength: 40, outgoing: false, sequence: -1 },
    ],
  );
});

const LENGTHS: readonly [string, Uint8Array, number, number][] = [
  ["a whole packet is as long as it is", packetBytes({ protocol: 6 }), 128, 40],
  [
    "IPv4 cut short: its total length",
    Uint8Array.of(0x45, 0, 5, 220, ...new Array<number>(124).fill(0)),
    128,
    1500,
  ],
  [
    "IPv6 cut short: payload length and header",
    Uint8Array.of(0x60, 0, 0, 0, 5, 180, ...new Array<number>(122).fill(0)),
    128,
    1500,
  ],
  ["cut short, and the header says less", new Uint8Array(128), 128, 128],
  ["nothing", new Uint8Array(), 128, 0],
];

for (const [what, bytes, copyBytes, expected] of LENGTHS) {
  Deno.test(`wireLengthOf: ${what}`, () => assert.equal(wireLengthOf(bytes, copyBytes), expected));
}

Deno.test("readLoggedPackets gives nothing for a packet without bytes or with a lying length", () => {
  const whole = datagram([{ payload: packetBytes({ protocol: 17 }), sequence: 1 }]);
  const view = new DataView(whole.buffer);
  for (const length of [0, 15, whole.length + 4, 0xffffffff]) {
    view.setUint32(0, length, true);
    assert.deepEqual(read(whole), [], String(length));
  }
  const cut = datagram([{ payload: packetBytes({ protocol: 17 }), sequence: 1 }]);
  // The first attribute claims to reach beyond its message.
  new DataView(cut.buffer).setUint16(20, 4000, true);
  assert.deepEqual(read(cut), []);
});

Deno.test("readLoggedPackets gives back any packets, and ends inside any bytes", () => {
  const logged = fc.record({ payload: fc.uint8Array({ maxLength: 60 }), sequence: fc.nat(0xffffffff) });
  fc.assert(fc.property(fc.array(logged, { maxLength: 6 }), fc.nat(400), (packets, cut) => {
    const bytes = datagram(packets);
    const seen = read(bytes, 1000);
    assert.deepEqual(
      seen.map((it) => it),
      packets.map(({ payload, sequence }) => ({
        time: 99.5,
        bytes: [...payload],
        wireLength: payload.length,
        outgoing: false,
        sequence,
      })),
    );
    assert.ok(read(bytes.slice(0, cut)).length <= packets.length);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assert.ok(read(Uint8Array.from(bytes)).length * 24 <= bytes.length + 24);
  }));
});
