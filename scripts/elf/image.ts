/**
 * Reads the parts of a 64-bit ELF executable that the patch needs: program headers and the dynamic linker's tables.
 *
 * Names of structures and fields are those of `elf.h` and elf(5). Every offset that the file names is checked before it
 * is followed, because the runtime may be one that somebody else downloaded.
 * @module
 */
import { EXIT, UserError } from "../../src/errors.ts";

/** `e_ident`: class, byte order and what the rest of the header is laid out as. */
const ELF_MAGIC = 0x7f454c46;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const ET_DYN = 3;
const EM_X86_64 = 62;

/** Sizes of `Elf64_Ehdr`, `Elf64_Phdr`, `Elf64_Dyn`, `Elf64_Sym` and `Elf64_Rela`. */
const EHDR_BYTES = 64;
/** Size of `Elf64_Phdr`. */
export const PHDR_BYTES = 56;
const DYN_BYTES = 16;
const SYM_BYTES = 24;
const RELA_BYTES = 24;

const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_RELA = 7;
const DT_RELASZ = 8;
const DT_PLTRELSZ = 2;
const DT_JMPREL = 23;
const R_X86_64_GLOB_DAT = 6;
const R_X86_64_JUMP_SLOT = 7;

/** `p_type` of a program header. */
export const SEGMENT = { load: 1, dynamic: 2, note: 4 } as const;

/** A program header (`Elf64_Phdr`). */
export interface Segment {
  /** Where the header itself is in the file. */
  readonly headerOffset: number;
  /** One of {@link SEGMENT}, or another number. */
  readonly type: number;
  /** `p_offset`: where its bytes are in the file. */
  readonly offset: number;
  /** `p_vaddr`: where they are mapped, from the load address. */
  readonly address: number;
  /** `p_filesz` */
  readonly fileBytes: number;
  /** `p_memsz` */
  readonly memoryBytes: number;
}

/** An error that says that the runtime cannot be patched. */
export function unusable(reason: string): UserError {
  return new UserError(`Cannot patch the runtime: ${reason}`, { exitCode: EXIT.badData });
}

/** An executable as it is in its file. */
export class ElfImage {
  readonly bytes: Uint8Array;
  /** In the file's order. */
  readonly segments: readonly Segment[];
  /** `e_entry` */
  readonly entry: number;
  readonly #view: DataView;

  /** @param bytes The whole file. Anything but a position-independent x86-64 executable is refused. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#checkHeader();
    this.entry = this.#u64(0x18);
    this.segments = this.#readSegments();
  }

  #checkHeader(): void {
    const view = this.#view;
    if (view.byteLength < EHDR_BYTES || view.getUint32(0) !== ELF_MAGIC) {
      throw unusable("it is not an ELF file");
    }
    if (view.getUint8(4) !== ELFCLASS64 || view.getUint8(5) !== ELFDATA2LSB) {
      throw unusable("it is not a 64-bit little-endian ELF file");
    }
    const machine = view.getUint16(0x12, true);
    if (machine !== EM_X86_64) throw unusable(`it is for machine ${machine} of elf.h, not for x86-64 (62)`);
    const type = view.getUint16(0x10, true);
    if (type !== ET_DYN) {
      throw unusable(`its e_type is ${type}, not that of a position-independent executable (3)`);
    }
  }

  #readSegments(): readonly Segment[] {
    const start = this.#u64(0x20);
    const size = this.#view.getUint16(0x36, true);
    const count = this.#view.getUint16(0x38, true);
    if (size !== PHDR_BYTES) {
      throw unusable(`its program headers have ${size} bytes each instead of ${PHDR_BYTES}`);
    }
    this.#need("program headers", start, count * PHDR_BYTES);
    return Array.from({ length: count }, (_, index) => this.#readSegment(start + index * PHDR_BYTES));
  }

  #readSegment(headerOffset: number): Segment {
    const segment = {
      headerOffset,
      type: this.#view.getUint32(headerOffset, true),
      offset: this.#u64(headerOffset + 8),
      address: this.#u64(headerOffset + 16),
      fileBytes: this.#u64(headerOffset + 32),
      memoryBytes: this.#u64(headerOffset + 40),
    };
    this.#need("a segment", segment.offset, segment.fileBytes);
    if (segment.type === SEGMENT.load && segment.memoryBytes < segment.fileBytes) {
      throw unusable("a segment is smaller in memory than in the file");
    }
    return segment;
  }

  /** The only segment of a type. */
  segment(type: number, name: string): Segment {
    const found = this.segments.filter((segment) => segment.type === type);
    const [only] = found;
    if (only === undefined || found.length > 1) {
      throw unusable(`it has ${found.length} ${name} segments instead of one`);
    }
    return only;
  }

  /**
   * The address of the slot into which the dynamic linker puts the address of a function of a library, found in the
   * relocations that it works through before the program starts.
   */
  importSlot(name: string): number {
    const dynamic = this.#readDynamic();
    const strings = this.#offsetOf(this.#dynamicEntry(dynamic, DT_STRTAB, "DT_STRTAB"));
    const symbols = this.#offsetOf(this.#dynamicEntry(dynamic, DT_SYMTAB, "DT_SYMTAB"));
    const tables = [[DT_RELA, DT_RELASZ], [DT_JMPREL, DT_PLTRELSZ]] as const;
    for (const [table, size] of tables) {
      const address = dynamic.get(table);
      if (address === undefined) continue;
      const slot = this.#findSlot({
        name,
        strings,
        symbols,
        start: this.#offsetOf(address),
        bytes: dynamic.get(size) ?? 0,
      });
      if (slot !== undefined) return slot;
    }
    throw unusable(`it does not import ${name}`);
  }

  #findSlot(
    search: {
      readonly name: string;
      readonly strings: number;
      readonly symbols: number;
      readonly start: number;
      readonly bytes: number;
    },
  ): number | undefined {
    this.#need("relocations", search.start, search.bytes);
    for (let at = search.start; at + RELA_BYTES <= search.start + search.bytes; at += RELA_BYTES) {
      const type = this.#view.getUint32(at + 8, true);
      if (type !== R_X86_64_GLOB_DAT && type !== R_X86_64_JUMP_SLOT) continue;
      const symbol = search.symbols + this.#view.getUint32(at + 12, true) * SYM_BYTES;
      this.#need("a symbol", symbol, SYM_BYTES);
      if (this.#isString(search.strings + this.#view.getUint32(symbol, true), search.name)) {
        return this.#u64(at);
      }
    }
    return undefined;
  }

  #isString(offset: number, expected: string): boolean {
    const end = offset + expected.length;
    if (end >= this.bytes.length || this.bytes[end] !== 0) return false;
    for (let i = 0; i < expected.length; i++) {
      if (this.bytes[offset + i] !== expected.charCodeAt(i)) return false;
    }
    return true;
  }

  #readDynamic(): ReadonlyMap<number, number> {
    const { offset, fileBytes } = this.segment(SEGMENT.dynamic, "PT_DYNAMIC");
    const entries = new Map<number, number>();
    for (let at = offset; at + DYN_BYTES <= offset + fileBytes; at += DYN_BYTES) {
      const tag = this.#view.getBigUint64(at, true);
      if (tag === 0n) break;
      const value = this.#view.getBigUint64(at + 8, true);
      // Tags and flags of other kinds may use all 64 bits; those that are looked up here are small.
      entries.set(Number(tag), Number(value));
    }
    return entries;
  }

  #dynamicEntry(dynamic: ReadonlyMap<number, number>, tag: number, name: string): number {
    const value = dynamic.get(tag);
    if (value === undefined) throw unusable(`it has no ${name}`);
    return value;
  }

  /** Where the byte that will be mapped at an address is in the file. */
  #offsetOf(address: number): number {
    const segment = this.segments.find((candidate) =>
      candidate.type === SEGMENT.load && address >= candidate.address &&
      address < candidate.address + candidate.fileBytes
    );
    if (segment === undefined) {
      throw unusable(`address 0x${address.toString(16)} is in no segment of the file`);
    }
    return address - segment.address + segment.offset;
  }

  #u64(offset: number): number {
    const value = this.#view.getBigUint64(offset, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw unusable(`the number at byte ${offset} is absurdly large`);
    }
    return Number(value);
  }

  #need(what: string, offset: number, bytes: number): void {
    if (offset + bytes > this.bytes.length) {
      throw unusable(`${what} at byte ${offset} would end behind the end of the file`);
    }
  }
}
