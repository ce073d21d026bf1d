/**
 * The pcapng format (draft-ietf-opsawg-pcapng): sections of either byte order, several interfaces, unknown blocks.
 * @module
 */
import type { ByteQueue } from "./byte_queue.ts";
import {
  type CaptureReader,
  fault,
  MAX_PACKET_BYTES,
  MORE,
  SKIPPED,
  type Step,
  viewOf,
} from "./capture_reader.ts";

const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  oldPacket: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const;
const OPTION = { end: 0, resolution: 9, offset: 14 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const MIN_BLOCK_BYTES = 12;
/** Type and length. */
const BLOCK_HEADER_BYTES = 8;
/** Blocks that must be read whole are never near this; others of any size are skipped unread. */
const MAX_BLOCK_BYTES = 1 << 20;
/** Bounds what a file can make us remember; a section with more is a lie. */
const MAX_INTERFACES = 4096;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly unitsPerSecond: number;
  readonly offsetSeconds: number;
}

/** A block that was read whole, without its type and lengths. */
interface Body {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Whether a file that begins with these four bytes is a pcapng file. */
export function isPcapng(magic: Uint8Array): boolean {
  return viewOf(magic).getUint32(0) === BLOCK.section;
}

/** Reads a pcapng file from its first byte on. */
export class PcapngReader implements CaptureReader {
  #littleEndian = false;
  #interfaces: Interface[] = [];
  #lastTime = 0;

  /** Take the next block. */
  next(queue: ByteQueue): Step {
    const header = queue.peek(MIN_BLOCK_BYTES);
    if (header === undefined) return MORE;
    const view = viewOf(header);
    // The section header's type reads the same either way; its byte order stands where other blocks begin their body.
    if (view.getUint32(0) === BLOCK.section) {
      const order = this.#sectionOrder(view);
      if (order === undefined) return fault("a section header has no byte-order magic");
      this.#littleEndian = order;
      this.#interfaces = [];
    }
    const type = view.getUint32(0, this.#littleEndian);
    const length = view.getUint32(4, this.#littleEndian);
    if (length < MIN_BLOCK_BYTES) return fault(`a block claims to be ${length} bytes long`);
    const padded = Math.ceil(length / 4) * 4;
    if (!isOfInterest(type)) {
      queue.skip(padded);
      return SKIPPED;
    }
    if (padded > MAX_BLOCK_BYTES) return fault(`a block of type ${type} claims to be ${length} bytes long`);
    const block = queue.peek(padded);
    if (block === undefined) return MORE;
    queue.skip(padded);
    const blockView = viewOf(block);
    if (blockView.getUint32(padded - 4, this.#littleEndian) !== length) {
      return fault(`the two lengths of a block of type ${type} differ`);
    }
    const bytes = block.subarray(BLOCK_HEADER_BYTES, padded - 4);
    return this.#block(type, { bytes, view: viewOf(bytes) });
  }

  #sectionOrder(view: DataView): boolean | undefined {
    for (const littleEndian of [false, true]) {
      if (view.getUint32(8, littleEndian) === BYTE_ORDER_MAGIC) return littleEndian;
    }
    return undefined;
  }

  #block(type: number, body: Body): Step {
    switch (type) {
      case BLOCK.interface:
        return this.#interfaceBlock(body);
      case BLOCK.enhancedPacket:
        return this.#timedPacket(body, "u32");
      case BLOCK.oldPacket:
        return this.#timedPacket(body, "u16");
      case BLOCK.simplePacket:
        return this.#simplePacket(body);
      default:
        return SKIPPED;
    }
  }

  #interfaceBlock({ bytes, view }: Body): Step {
    if (bytes.length < 8) return fault("an interface block is too short");
    if (this.#interfaces.length === MAX_INTERFACES) {
      return fault(`a section has over ${MAX_INTERFACES} interfaces`);
    }
    const options = this.#options(bytes.subarray(8));
    this.#interfaces.push({
      linkType: view.getUint16(0, this.#littleEndian),
      snapLength: view.getUint32(4, this.#littleEndian),
      unitsPerSecond: unitsPerSecond(options.get(OPTION.resolution)),
      offsetSeconds: this.#offsetSeconds(options.get(OPTION.offset)),
    });
    return SKIPPED;
  }

  /** An enhanced packet block (interface number of 32 bits) or the obsolete one (16 bits, then a drop count). */
  #timedPacket({ bytes, view }: Body, number: "u32" | "u16"): Step {
    if (bytes.length < 20) return fault("a packet block is too short");
    const little = this.#littleEndian;
    const index = number === "u32" ? view.getUint32(0, little) : view.getUint16(0, little);
    const source = this.#interfaces[index];
    if (source === undefined) return fault(`a packet names interface ${index}, which is not described`);
    const captured = view.getUint32(12, little);
    if (captured > bytes.length - 20 || captured > MAX_PACKET_BYTES) {
      return fault(`a packet block claims to hold ${captured} bytes of packet`);
    }
    const units = view.getUint32(4, little) * 2 ** 32 + view.getUint32(8, little);
    this.#lastTime = units / source.unitsPerSecond + source.offsetSeconds;
    return this.#packet(source, bytes.subarray(20, 20 + captured), view.getUint32(16, little));
  }

  #simplePacket({ bytes, view }: Body): Step {
    const source = this.#interfaces[0];
    if (source === undefined) return fault("a simple packet block stands before any interface");
    if (bytes.length < 4) return fault("a simple packet block is too short");
    const wireLength = view.getUint32(0, this.#littleEndian);
    const snapLength = source.snapLength === 0 ? Infinity : source.snapLength;
    const captured = Math.min(wireLength, snapLength, bytes.length - 4, MAX_PACKET_BYTES);
    return this.#packet(source, bytes.subarray(4, 4 + captured), wireLength);
  }

  #packet(source: Interface, bytes: Uint8Array, wireLength: number): Step {
    const { linkType } = source;
    const packet = { linkType, time: this.#lastTime, bytes, wireLength: Math.max(bytes.length, wireLength) };
    return { kind: "packet", packet };
  }

  /** The first option of each code, up to the end or to one whose length does not fit. */
  #options(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
    const options = new Map<number, Uint8Array>();
    const view = viewOf(bytes);
    for (let at = 0; at + 4 <= bytes.length;) {
      const code = view.getUint16(at, this.#littleEndian);
      const length = view.getUint16(at + 2, this.#littleEndian);
      if (code === OPTION.end || at + 4 + length > bytes.length) break;
      if (!options.has(code)) options.set(code, bytes.subarray(at + 4, at + 4 + length));
      at += 4 + Math.ceil(length / 4) * 4;
    }
    return options;
  }

  #offsetSeconds(option: Uint8Array | undefined): number {
    if (option === undefined || option.length < 8) return 0;
    return Number(viewOf(option).getBigInt64(0, this.#littleEndian));
  }
}

function isOfInterest(type: number): boolean {
  return type === BLOCK.section || type === BLOCK.interface || type === BLOCK.oldPacket ||
    type === BLOCK.simplePacket || type === BLOCK.enhancedPacket;
}

/** The resolution option: a negative power of ten, or of two when its highest bit is set. Default: microseconds. */
function unitsPerSecond(option: Uint8Array | undefined): number {
  const exponent = option?.[0];
  if (exponent === undefined) return 1e6;
  return exponent >= 128 ? 2 ** (exponent - 128) : 10 ** exponent;
}
