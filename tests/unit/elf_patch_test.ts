/**
 * Patching the runtime, with a small executable made here and every lie that a header can tell.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ElfImage, SEGMENT } from "../../scripts/elf/image.ts";
import { type Attachment, attachProgram, STUB_HEADER_BYTES } from "../../scripts/elf/patch.ts";
import { UserError } from "../../src/errors.ts";
import {
  DYNAMIC_START,
  FILE_BYTES,
  PHDR_START,
  SLOT,
  smallElf,
  STRINGS_START,
  writeRelocation,
  writeSegment,
} from "../lab/small_elf.ts";

const ATTACHMENT: Attachment = {
  stub: new Uint8Array(STUB_HEADER_BYTES + 32).fill(0x90),
  program: new TextEncoder().encode("console.log(1)"),
  arguments: ["portsnare", "run", "-A"],
};

Deno.test("attachProgram turns the note into a segment above all others and starts in it", () => {
  const runtime = smallElf();
  const before = runtime.slice();
  const patched = new ElfImage(attachProgram(runtime, ATTACHMENT));
  assert.deepEqual(runtime, before, "the runtime was changed");
  assert.deepEqual(patched.segments.map((segment) => segment.type), [
    SEGMENT.load,
    SEGMENT.dynamic,
    SEGMENT.load,
  ]);
  const added = patched.segments[2];
  assert.ok(added);
  assert.deepEqual(added, {
    headerOffset: PHDR_START + 2 * 56,
    type: SEGMENT.load,
    offset: 0x1000,
    address: 0x9000,
    fileBytes: patched.bytes.length - 0x1000,
    memoryBytes: patched.bytes.length - 0x1000,
  });
  assert.equal(patched.entry, 0x9000 + STUB_HEADER_BYTES);
  const flags = new DataView(patched.bytes.buffer).getUint32(added.headerOffset + 4, true);
  assert.equal(flags, 5, "the segment must be readable and executable, never writable");
});

Deno.test("attachProgram writes the header of stub.h: distances, program and arguments", () => {
  const patched = attachProgram(smallElf(), ATTACHMENT);
  const segment = patched.subarray(0x1000);
  const view = new DataView(segment.buffer, segment.byteOffset);
  const header = Array.from({ length: 6 }, (_, index) => Number(view.getBigInt64(index * 8, true)));
  const argumentsText = "portsnare\0run\0-A\0";
  const argumentsStart = ATTACHMENT.stub.length;
  const programStart = argumentsStart + argumentsText.length;
  assert.deepEqual(header, [
    0x100 - 0x9000,
    SLOT - 0x9000,
    programStart,
    ATTACHMENT.program.length,
    argumentsStart,
    3,
  ]);
  assert.equal(new TextDecoder().decode(segment.subarray(argumentsStart, programStart)), argumentsText);
  assert.deepEqual(segment.subarray(programStart), ATTACHMENT.program);
});

Deno.test("ElfImage.importSlot does not take a name that only begins the same", () => {
  assert.equal(new ElfImage(smallElf()).importSlot("setenv"), SLOT);
  assert.equal(new ElfImage(smallElf()).importSlot("setenvy"), 0x8070);
});

/** What is done to a good file, and what must be said of it. */
const HOSTILE: readonly (readonly [string, (view: DataView) => void, RegExp])[] = [
  ["a script", (view) => view.setUint32(0, 0x23212f62), /not an ELF file/],
  ["a 32-bit file", (view) => view.setUint8(4, 1), /not a 64-bit little-endian/],
  ["a big-endian file", (view) => view.setUint8(5, 2), /not a 64-bit little-endian/],
  ["an aarch64 file", (view) => view.setUint16(0x12, 183, true), /machine 183/],
  ["a file at a fixed address", (view) => view.setUint16(0x10, 2, true), /e_type is 2/],
  ["program headers of another size", (view) => view.setUint16(0x36, 32, true), /32 bytes each/],
  [
    "program headers behind the end",
    (view) => view.setBigUint64(0x20, 0x5f0n, true),
    /would end behind the end/,
  ],
  ["65535 program headers", (view) => view.setUint16(0x38, 65535, true), /would end behind the end/],
  ["no program headers", (view) => view.setUint16(0x38, 0, true), /0 PT_NOTE segments/],
  ["an absurd entry", (view) => view.setBigUint64(0x18, 2n ** 63n, true), /absurdly large/],
  [
    "a segment longer than the file",
    (view) => writeSegment(view, 0, [1, 0, 0, FILE_BYTES + 1, 0x9000]),
    /a segment/,
  ],
  ["a segment that shrinks", (view) => writeSegment(view, 0, [1, 0, 0, FILE_BYTES, 16]), /smaller in memory/],
  ["no PT_LOAD", (view) => view.setUint32(PHDR_START, 7, true), /no PT_LOAD/],
  ["two PT_NOTE", (view) => writeSegment(view, 0, [4, 0, 0, 0, 0]), /2 PT_NOTE segments/],
  ["PT_NOTE before PT_LOAD", swapLoadAndNote, /listed before/],
  ["no PT_DYNAMIC", (view) => view.setUint32(PHDR_START + 56, 7, true), /0 PT_DYNAMIC segments/],
  ["no string table", (view) => view.setBigUint64(DYNAMIC_START, 99n, true), /no DT_STRTAB/],
  [
    "tables outside of every segment",
    (view) => view.setBigUint64(DYNAMIC_START + 24, 0xffff0n, true),
    /in no segment/,
  ],
  [
    "relocations behind the end",
    (view) => view.setBigUint64(DYNAMIC_START + 56, 0xffffn, true),
    /relocations/,
  ],
  ["a symbol behind the end", (view) => writeRelocation(view, 0, [1, 6, 0xffffff]), /a symbol/],
  ["another import", (view) => view.setUint8(STRINGS_START + 9, 0x53), /does not import setenv/],
  ["a data relocation", (view) => writeRelocation(view, 1, [SLOT, 1, 2]), /does not import setenv/],
];

function swapLoadAndNote(view: DataView): void {
  writeSegment(view, 0, [SEGMENT.note, 0x2c0, 0x2c0, 16, 16]);
  writeSegment(view, 2, [SEGMENT.load, 0, 0, FILE_BYTES, 0x9000]);
}

for (const [name, spoil, message] of HOSTILE) {
  Deno.test(`attachProgram refuses ${name}`, () => {
    const runtime = smallElf();
    spoil(new DataView(runtime.buffer));
    assert.throws(
      () => attachProgram(runtime, ATTACHMENT),
      (error) => error instanceof UserError && message.test(error.message),
    );
  });
}

Deno.test("attachProgram refuses an empty stub", () => {
  assert.throws(
    () => attachProgram(smallElf(), { ...ATTACHMENT, stub: new Uint8Array(STUB_HEADER_BYTES) }),
    /empty/,
  );
});

Deno.test("attachProgram answers any damage with an executable or with one of its own errors", () => {
  const damage = fc.array(fc.tuple(fc.nat(FILE_BYTES - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(fc.property(damage, fc.nat(FILE_BYTES), (changes, length) => {
    const runtime = smallElf();
    for (const [at, value] of changes) runtime[at] = value;
    try {
      attachProgram(runtime.subarray(0, length), ATTACHMENT);
    } catch (error) {
      assert.ok(error instanceof UserError, String(error));
    }
  }));
});
