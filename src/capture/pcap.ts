/**
 * The pcap format (draft-ietf-opsawg-pcap): microseconds or nanoseconds, either byte order.
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

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
/** The upper bits of the link type say how long the frame check sequence is. */
const LINK_TYPE_MASK = 0xffff;

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;

/** Which of the four kinds of pcap file this is. */
export interface PcapFormat {
  /** Byte order of every number in the file. */
  readonly littleEndian: boolean;
  /** What the second half of a timestamp counts: millionths or billionths. */
  readonly unitsPerSecond: number;
}

/** Whether a file that begins with these four bytes is a pcap file, and of which kind. */
export function pcapFormat(magic: Uint8Array): PcapFormat | undefined {
  for (const littleEndian of [false, true]) {
    const number = viewOf(magic).getUint32(0, littleEndian);
    if (number === MICROSECONDS) return { littleEndian, unitsPerSecond: 1e6 };
    if (number === NANOSECONDS) return { littleEndian, unitsPerSecond: 1e9 };
  }
  return undefined;
}

/** Reads a pcap file from its first byte on. */
export class PcapReader implements CaptureReader {
  readonly #format: PcapFormat;
  #linkType: number | undefined;

  /** A reader for the format that {@link pcapFormat} found. */
  constructor(format: PcapFormat) {
    this.#format = format;
  }

  /** Take the next record, or the file header. */
  next(queue: ByteQueue): Step {
    if (this.#linkType === undefined) return this.#fileHeader(queue);
    const header = queue.peek(RECORD_HEADER_BYTES);
    if (header === undefined) return MORE;
    const { littleEndian, unitsPerSecond } = this.#format;
    const view = viewOf(header);
    const seconds = view.getUint32(0, littleEndian);
    // No packet is of 2055 yet.
    if (seconds === MICROSECONDS || seconds === NANOSECONDS) {
      return fault("another pcap file begins here; join captures with mergecap");
    }
    const captured = view.getUint32(8, littleEndian);
    if (captured > MAX_PACKET_BYTES) return fault(`a packet record claims to hold ${captured} bytes`);
    const record = queue.peek(RECORD_HEADER_BYTES + captured);
    if (record === undefined) return MORE;
    queue.skip(record.length);
    const units = seconds * unitsPerSecond + view.getUint32(4, littleEndian);
    return {
      kind: "packet",
      packet: {
        linkType: this.#linkType,
        time: units / unitsPerSecond,
        bytes: record.subarray(RECORD_HEADER_BYTES),
        wireLength: Math.max(captured, view.getUint32(12, littleEndian)),
      },
    };
  }

  #fileHeader(queue: ByteQueue): Step {
    const header = queue.peek(FILE_HEADER_BYTES);
    if (header === undefined) return MORE;
    const view = viewOf(header);
    const major = view.getUint16(4, this.#format.littleEndian);
    if (major !== 2) return fault(`pcap version ${major} is not known`);
    this.#linkType = view.getUint32(20, this.#format.littleEndian) & LINK_TYPE_MASK;
    queue.skip(FILE_HEADER_BYTES);
    return SKIPPED;
  }
}
