import fc from "fast-check";
import assert from "node:assert/strict";
import { type CaptureFault, openCapture, readCapture } from "../../../src/capture/capture_file.ts";
import type { CapturedPacket } from "../../../src/capture/capture_reader.ts";
import { UserError } from "../../../src/errors.ts";
import { block, concat, hex, pcapFile, u16, words } from "../../lab/packets.ts";

interface Read {
  readonly packets: readonly CapturedPacket[];
  readonly fault: CaptureFault | undefined;
}

/** Reads a file that comes in pieces of `pieceBytes`; copies the packets, which are borrowed. */
async function read(file: Uint8Array<ArrayBuffer>, pieceBytes = file.length): Promise<Read> {
  const packets: CapturedPacket[] = [];
  let fault: CaptureFault | undefined;
  for await (const batch of readCapture(pieces(file, pieceBytes))) {
    assert.equal(fault, undefined, "nothing follows a fault");
    for (const packet of batch.packets) packets.push({ ...packet, bytes: packet.bytes.slice() });
    fault = batch.fault;
  }
  return { packets, fault };
}

async function* pieces(file: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += pieceBytes) yield file.slice(at, at + pieceBytes);
}

const PACKET = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);
const TIME = 1258573456.27487;

/** Interface block: link type, snap length, options. */
function interfaceBlock(
  linkType: number,
  options: Uint8Array = new Uint8Array(0),
  little = true,
): Uint8Array {
  const type = new Uint8Array(4);
  new DataView(type.buffer).setUint16(0, linkType, little);
  return block(1, concat(type, words(little, 65535), options), little);
}

function enhanced(
  units: number,
  bytes: Uint8Array,
  options: { little?: boolean; interface?: number; captured?: number } = {},
): Uint8Array {
  const { little = true, interface: index = 0, captured = bytes.length } = options;
  const high = Math.floor(units / 2 ** 32);
  return block(6, concat(words(little, index, high, units % 2 ** 32, captured, bytes.length), bytes), little);
}

function section(little = true): Uint8Array {
  const version = little ? [0x00000001] : [0x00010000];
  return block(0x0a0d0d0a, words(little, 0x1a2b3c4d, ...version, 0xffffffff, 0xffffffff), little);
}

const MICROS = Math.round(TIME * 1e6);

Deno.test("readCapture reads pcap in either byte order and resolution", async () => {
  for (const littleEndian of [true, false]) {
    for (const nanoseconds of [true, false]) {
      const packets = [{ time: TIME, bytes: PACKET }, { time: TIME + 1, bytes: PACKET, wireLength: 1500 }];
      const file = pcapFile(packets, { littleEndian, nanoseconds, linkType: 113 });
      const { packets: [first, second], fault } = await read(file);
      assert.equal(fault, undefined);
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual([first.linkType, [...first.bytes], first.wireLength], [113, [...PACKET], 7]);
      assert.ok(Math.abs(first.time - TIME) < 1e-6);
      assert.ok(Math.abs(second.time - TIME - 1) < 1e-6);
      assert.equal(second.wireLength, 1500);
    }
  }
});

Deno.test("readCapture gives microseconds exactly", async () => {
  const { packets: [first] } = await read(pcapFile([{ time: TIME, bytes: PACKET }]));
  assert.equal(first?.time, TIME);
});

Deno.test("readCapture reads a file that tcpdump wrote on a big-endian machine", async () => {
  const file = hex(`
    a1b2c3d4 0002 0004 00000000 00000000 00000060 00000001 // magic, version 2.4, snap length 96, Ethernet
    4b042e50 00043186 00000003 0000003c                    // seconds, microseconds, 3 of 60 bytes
    0a0b0c`);
  const { packets: [first], fault } = await read(file);
  assert.equal(fault, undefined);
  assert.deepEqual([...first?.bytes ?? []], [10, 11, 12]);
  assert.equal(first?.wireLength, 60);
  assert.equal(first?.time, 1258565200.274822);
});

const NG: readonly (readonly [name: string, file: Uint8Array<ArrayBuffer>, expected: readonly string[]])[] = [
  [
    "either byte order, section by section",
    concat(
      section(true),
      interfaceBlock(1),
      enhanced(MICROS, PACKET),
      section(false),
      interfaceBlock(101, new Uint8Array(0), false),
      enhanced(MICROS, PACKET, { little: false }),
    ),
    [`1 ${TIME} 7`, `101 ${TIME} 7`],
  ],
  [
    "several interfaces",
    concat(
      section(),
      interfaceBlock(1),
      interfaceBlock(276),
      enhanced(MICROS, PACKET, { interface: 1 }),
      enhanced(MICROS, PACKET),
    ),
    [`276 ${TIME} 7`, `1 ${TIME} 7`],
  ],
  [
    "nanoseconds (if_tsresol 9)",
    concat(
      section(),
      interfaceBlock(1, concat(words(true, 0x00010009), Uint8Array.of(9, 0, 0, 0))),
      enhanced(1_258_573_456_000_000_000, PACKET),
    ),
    ["1 1258573456 7"],
  ],
  [
    "a resolution in powers of two (2^-10) and an offset of an hour (if_tsoffset)",
    concat(
      section(),
      interfaceBlock(
        1,
        concat(
          words(true, 0x00010009),
          Uint8Array.of(0x8a, 0, 0, 0),
          words(true, 0x0008000e, 3600, 0),
          words(true, 0),
        ),
      ),
      enhanced(2048, PACKET),
    ),
    ["1 3602 7"],
  ],
  [
    "obsolete packet blocks",
    concat(
      section(),
      interfaceBlock(1),
      block(2, concat(u16(0, 0), words(true, 0, 5_000_000, 7, 60), PACKET)),
    ),
    ["1 5 60"],
  ],
  [
    "simple packet blocks, with the time of the packet before",
    concat(section(), interfaceBlock(1), enhanced(MICROS, PACKET), block(3, concat(words(true, 7), PACKET))),
    [`1 ${TIME} 7`, `1 ${TIME} 7`],
  ],
  [
    "unknown blocks of any size as if they were not there",
    concat(
      section(),
      block(0x0bad, new Uint8Array(3_000_000)),
      interfaceBlock(1),
      block(5, new Uint8Array(7)),
      enhanced(MICROS, PACKET),
    ),
    [`1 ${TIME} 7`],
  ],
];

for (const [name, file, expected] of NG) {
  Deno.test(`readCapture reads pcapng with ${name}`, async () => {
    for (const pieceBytes of [file.length, 65_521, file.length > 1e6 ? 4096 : 1]) {
      const { packets, fault } = await read(file, pieceBytes);
      assert.equal(fault, undefined);
      assert.deepEqual(
        packets.map(({ linkType, time, wireLength }) => `${linkType} ${time} ${wireLength}`),
        expected,
      );
      for (const { bytes } of packets) assert.deepEqual([...bytes], [...PACKET]);
    }
  });
}

const good = pcapFile([{ time: TIME, bytes: PACKET }, { time: TIME, bytes: PACKET }]);
const ng = concat(section(), interfaceBlock(1), enhanced(MICROS, PACKET));
const edited = (file: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array<ArrayBuffer> => {
  const copy = file.slice() as Uint8Array<ArrayBuffer>;
  copy.set(bytes, at);
  return copy;
};

/** Every fault with the packets before it and the byte at which it stands. */
const HOSTILE:
  readonly (readonly [name: string, file: Uint8Array<ArrayBuffer>, packets: number, fault: string])[] = [
    ["nothing", new Uint8Array(0), 0, "0: the file is empty or ends within its first four bytes"],
    ["three bytes", new Uint8Array(3), 0, "0: the file is empty or ends within its first four bytes"],
    ["text", new TextEncoder().encode("not a capture"), 0, "0: this is neither pcap nor pcapng"],
    ["zeros", new Uint8Array(4096), 0, "0: this is neither pcap nor pcapng"],
    ["xz", hex("fd 37 7a 58 5a 00 00 04"), 0, "0: this is packed with xz; unpack it first (xz -d)"],
    ["zstd", hex("28 b5 2f fd 24 00"), 0, "0: this is packed with zstd; unpack it first (zstd -d)"],
    ["bzip2", hex("42 5a 68 39 31 41"), 0, "0: this is packed with bzip2; unpack it first (bzip2 -d)"],
    [
      "two files joined by cat",
      concat(good, good),
      2,
      `${good.length}: another pcap file begins here; join captures with mergecap`,
    ],
    ["half a file header", good.slice(0, 20), 0, "0: the file ends in the middle of a record"],
    ["version 3", edited(good, 4, 3), 0, "0: pcap version 3 is not known"],
    ["half a record header", good.slice(0, 24 + 23 + 8), 1, "47: the file ends in the middle of a record"],
    ["half a packet", good.slice(0, -1), 1, "47: the file ends in the middle of a record"],
    [
      "a record of 4 GiB",
      edited(good, 47 + 8, 255, 255, 255, 255),
      1,
      "47: a packet record claims to hold 4294967295 bytes",
    ],
    [
      "a record of 262145 bytes",
      edited(good, 47 + 8, 1, 0, 4, 0),
      1,
      "47: a packet record claims to hold 262145 bytes",
    ],
    ["a section without byte order", edited(ng, 8, 0), 0, "0: a section header has no byte-order magic"],
    [
      "a block of 8 bytes",
      concat(ng, words(true, 7, 8, 8)),
      1,
      `${ng.length}: a block claims to be 8 bytes long`,
    ],
    [
      "a packet block of 2 GiB",
      concat(ng, words(true, 6, 0x80000000, 0)),
      1,
      `${ng.length}: a block of type 6 claims to be 2147483648 bytes long`,
    ],
    [
      "an unknown block of 2 GiB",
      concat(ng, words(true, 7, 0x80000000, 0)),
      1,
      `${ng.length + 12}: the file ends in the middle of a record`,
    ],
    [
      "two lengths that differ",
      edited(ng, ng.length - 4, 99),
      0,
      `${ng.length - 40}: the two lengths of a block of type 6 differ`,
    ],
    [
      "an interface that is not there",
      concat(ng, enhanced(0, PACKET, { interface: 1 })),
      1,
      `${ng.length}: a packet names interface 1, which is not described`,
    ],
    [
      "a packet before any interface",
      concat(section(), enhanced(0, PACKET)),
      0,
      "28: a packet names interface 0, which is not described",
    ],
    [
      "a simple packet before any interface",
      concat(section(), block(3, words(true, 0))),
      0,
      "28: a simple packet block stands before any interface",
    ],
    [
      "a packet longer than its block",
      concat(ng, enhanced(0, PACKET, { captured: 9 })),
      1,
      `${ng.length}: a packet block claims to hold 9 bytes of packet`,
    ],
    [
      "an interface block of no bytes",
      concat(section(), block(1, new Uint8Array(0))),
      0,
      "28: an interface block is too short",
    ],
    [
      "a packet block of no bytes",
      concat(ng, block(6, new Uint8Array(0))),
      1,
      `${ng.length}: a packet block is too short`,
    ],
    [
      "5000 interfaces",
      concat(section(), ...Array<Uint8Array>(5000).fill(interfaceBlock(1))),
      0,
      `${28 + 4096 * 20}: a section has over 4096 interfaces`,
    ],
  ];

for (const [name, file, packets, expected] of HOSTILE) {
  Deno.test(`readCapture names the byte at which a file goes wrong: ${name}`, async () => {
    for (const pieceBytes of [Math.max(1, file.length), 7]) {
      const result = await read(file, pieceBytes);
      assert.equal(`${result.fault?.offset}: ${result.fault?.message}`, expected);
      assert.equal(result.packets.length, packets);
    }
  });
}

Deno.test("readCapture goes on behind an option whose length lies", async () => {
  const file = concat(section(), interfaceBlock(1, words(true, 0xffff0009)), enhanced(5_000_000, PACKET));
  const { packets, fault } = await read(file);
  assert.equal(fault, undefined);
  assert.equal(packets[0]?.time, 5);
});

Deno.test("readCapture takes a packet that claims to be shorter than what was captured at its word for neither", async () => {
  const { packets: [first] } = await read(pcapFile([{ time: 1, bytes: PACKET, wireLength: 2 }]));
  assert.equal(first?.wireLength, 7);
});

Deno.test("readCapture never throws, however a file is cut, shuffled or changed", async () => {
  const files = fc.constantFrom(
    good,
    ng,
    ...NG.filter(([, file]) => file.length < 1000).map(([, file]) => file),
  );
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(
      files,
      edits,
      fc.nat(400),
      fc.integer({ min: 1, max: 50 }),
      async (file, changes, length, pieceBytes) => {
        const copy = file.slice(0, length);
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        const { packets } = await read(copy, pieceBytes);
        for (const { bytes, wireLength, time } of packets) {
          assert.ok(bytes.length <= wireLength);
          assert.ok(!Number.isNaN(time));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("openCapture unpacks gzip, tells a damaged one, and refuses what is not there", async () => {
  const path = await Deno.makeTempFile();
  try {
    const packed = await new Response(new Blob([good]).stream().pipeThrough(new CompressionStream("gzip")))
      .bytes();
    await Deno.writeFile(path, packed);
    assert.equal((await count(path)).packets, 2);
    await Deno.writeFile(path, packed.subarray(0, packed.length - 12));
    assert.ok((await count(path)).fault !== undefined);
    await Deno.writeFile(path, good);
    assert.deepEqual(await count(path), { packets: 2, fault: undefined });
  } finally {
    await Deno.remove(path);
  }
  await assert.rejects(openCapture(path), (error) => error instanceof UserError && error.exitCode === 65);
});

async function count(path: string): Promise<{ packets: number; fault: CaptureFault | undefined }> {
  let packets = 0;
  for await (const batch of readCapture(await openCapture(path))) {
    packets += batch.packets.length;
    if (batch.fault !== undefined) return { packets, fault: batch.fault };
  }
  return { packets, fault: undefined };
}
