/**
 * Turns the Deno runtime and a first module for it into one executable that the kernel maps like any other.
 *
 * A runtime behind a launcher would have to be copied out at each start, or mapped by hand. Instead the
 * runtime's note segment, which nothing reads at run time, becomes one more loadable segment. It holds the stub
 * (`stub.c`), the runtime's arguments and the program, and the entry point is moved to the stub.
 * @module
 */
import { ElfImage, PHDR_BYTES, SEGMENT, unusable } from "./image.ts";

/** `STUB_HEADER_SIZE` of stub.h: the stub's image starts with the header, its entry point follows. */
export const STUB_HEADER_BYTES = 48;
/** Where `e_entry` is in `Elf64_Ehdr`. */
const ENTRY_OFFSET = 0x18;
const PAGE_BYTES = 4096;
const PF_READ_EXECUTE = 5;

/** What is put into the runtime. */
export interface Attachment {
  /** The stub as a flat image. */
  readonly stub: Uint8Array;
  /** The module that the runtime is to run. */
  readonly program: Uint8Array;
  /** The runtime's arguments, `argv[0]` first. The program's path and the caller's arguments come after these. */
  readonly arguments: readonly string[];
}

/** The executable: the runtime's bytes, with the attachment as one more segment. The runtime is not changed. */
export function attachProgram(runtime: Uint8Array, attachment: Attachment): Uint8Array {
  const image = new ElfImage(runtime);
  const note = image.segment(SEGMENT.note, "PT_NOTE");
  const address = alignUp(endOfSegments(image));
  const offset = alignUp(runtime.length);
  const segment = layOut(attachment, {
    entry: image.entry - address,
    setenv: image.importSlot("setenv") - address,
  });

  const executable = new Uint8Array(offset + segment.length);
  executable.set(runtime);
  executable.set(segment, offset);
  const view = new DataView(executable.buffer);
  writeLoadSegment(view, note.headerOffset, { offset, address, bytes: segment.length });
  view.setBigUint64(ENTRY_OFFSET, BigInt(address + STUB_HEADER_BYTES), true);
  return executable;
}

/** Loadable segments must come in the order of their addresses, so the new one has to be above, and listed behind, all. */
function endOfSegments(image: ElfImage): number {
  const loads = image.segments.filter((segment) => segment.type === SEGMENT.load);
  const last = loads.at(-1);
  if (last === undefined) throw unusable("it has no PT_LOAD segment");
  const note = image.segment(SEGMENT.note, "PT_NOTE");
  if (note.headerOffset < last.headerOffset) {
    throw unusable("its PT_NOTE segment is listed before a PT_LOAD segment");
  }
  return Math.max(...loads.map((segment) => segment.address + segment.memoryBytes));
}

/** Stub, arguments, program; distances are from the start, which is where the header is. */
function layOut(
  attachment: Attachment,
  distances: { readonly entry: number; readonly setenv: number },
): Uint8Array {
  const { stub, program } = attachment;
  if (stub.length <= STUB_HEADER_BYTES) throw unusable("the stub is empty");
  const words = new TextEncoder().encode(attachment.arguments.map((argument) => `${argument}\0`).join(""));
  const argumentsStart = stub.length;
  const programStart = argumentsStart + words.length;

  const segment = new Uint8Array(programStart + program.length);
  segment.set(stub);
  segment.set(words, argumentsStart);
  segment.set(program, programStart);

  // The order of struct stub_header in stub.h.
  const header = [
    distances.entry,
    distances.setenv,
    programStart,
    program.length,
    argumentsStart,
    attachment.arguments.length,
  ];
  const view = new DataView(segment.buffer);
  for (const [index, field] of header.entries()) view.setBigInt64(index * 8, BigInt(field), true);
  return segment;
}

/** `Elf64_Phdr`: p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align. */
function writeLoadSegment(
  view: DataView,
  at: number,
  segment: { readonly offset: number; readonly address: number; readonly bytes: number },
): void {
  view.setUint32(at, SEGMENT.load, true);
  view.setUint32(at + 4, PF_READ_EXECUTE, true);
  const words = [segment.offset, segment.address, segment.address, segment.bytes, segment.bytes, PAGE_BYTES];
  for (const [index, word] of words.entries()) view.setBigUint64(at + 8 + index * 8, BigInt(word), true);
  if (8 + words.length * 8 !== PHDR_BYTES) throw new Error("Elf64_Phdr was not written completely");
}

function alignUp(value: number): number {
  return Math.ceil(value / PAGE_BYTES) * PAGE_BYTES;
}
