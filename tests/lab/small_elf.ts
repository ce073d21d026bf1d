/**
 * The smallest executable that a program can be attached to, for tests that spoil it.
 * @module
 */
import { SEGMENT } from "../../scripts/elf/image.ts";

/** Where the program headers are. */
export const PHDR_START = 64;
/** Where the dynamic section is. */
export const DYNAMIC_START = 0x200;
const SYMBOLS_START = 0x300;
/** Where the names are. */
export const STRINGS_START = 0x380;
const RELOCATIONS_START = 0x400;
/** How long the file is. */
export const FILE_BYTES = 0x600;
/** Where the address of `setenv` is put when the file is loaded. */
export const SLOT = 0x8080;

/** A PIE with one PT_LOAD of the whole file, one PT_DYNAMIC that imports `setenv`, and one PT_NOTE. */
export function smallElf(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FILE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(0x10, 3, true);
  view.setUint16(0x12, 62, true);
  view.setBigUint64(0x18, 0x100n, true);
  view.setBigUint64(0x20, BigInt(PHDR_START), true);
  view.setUint16(0x36, 56, true);
  view.setUint16(0x38, 3, true);
  writeSegment(view, 0, [SEGMENT.load, 0, 0, FILE_BYTES, 0x9000]);
  writeSegment(view, 1, [SEGMENT.dynamic, DYNAMIC_START, DYNAMIC_START, 5 * 16, 5 * 16]);
  writeSegment(view, 2, [SEGMENT.note, 0x2c0, 0x2c0, 16, 16]);
  const dynamic = [[5, STRINGS_START], [6, SYMBOLS_START], [7, RELOCATIONS_START], [8, 48]];
  for (const [index, [tag, value]] of dynamic.entries()) {
    view.setBigUint64(DYNAMIC_START + index * 16, BigInt(tag ?? 0), true);
    view.setBigUint64(DYNAMIC_START + index * 16 + 8, BigInt(value ?? 0), true);
  }
  bytes.set(new TextEncoder().encode("\0setenvy\0setenv\0"), STRINGS_START);
  view.setUint32(SYMBOLS_START + 24, 1, true);
  view.setUint32(SYMBOLS_START + 48, 9, true);
  writeRelocation(view, 0, [0x8070, 6, 1]);
  writeRelocation(view, 1, [SLOT, 6, 2]);
  return bytes;
}

/** Write a program header: type, offset, address, bytes in the file, bytes in memory. */
export function writeSegment(view: DataView, index: number, fields: readonly number[]): void {
  const [type = 0, offset = 0, address = 0, fileBytes = 0, memoryBytes = 0] = fields;
  const at = PHDR_START + index * 56;
  view.setUint32(at, type, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, BigInt(address), true);
  view.setBigUint64(at + 32, BigInt(fileBytes), true);
  view.setBigUint64(at + 40, BigInt(memoryBytes), true);
}

/** Write a relocation: slot, type, symbol. */
export function writeRelocation(view: DataView, index: number, fields: readonly number[]): void {
  const [slot = 0, type = 0, symbol = 0] = fields;
  const at = RELOCATIONS_START + index * 24;
  view.setBigUint64(at, BigInt(slot), true);
  view.setUint32(at + 8, type, true);
  view.setUint32(at + 12, symbol, true);
}
