/**
 * Netlink messages and attributes as bytes (linux/netlink.h, RFC 3549): a writer and a reader that no input can upset.
 *
 * Headers are in host order (little-endian on every architecture we run on); what stands inside attributes is the
 * caller's business.
 * @module
 */

/** Message types that every family shares. */
export const NLMSG = { noop: 1, error: 2, done: 3 } as const;
/** Message flags. */
export const NLM_F = {
  request: 1,
  ack: 4,
  /** Set by the kernel: what is being dumped changed under way, so that entries may be missing or there twice. */
  dumpInterrupted: 0x10,
  dump: 0x300,
  create: 0x400,
} as const;

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** One message of a datagram. */
export interface NetlinkMessage {
  /** One of {@link NLMSG}, or a type of the family. */
  readonly type: number;
  /** Bits of {@link NLM_F}. */
  readonly flags: number;
  /** The number of the request that this answers; 0 for events. */
  readonly sequence: number;
  /** What follows the header, without padding. Borrowed from the datagram. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** One attribute. */
export interface NetlinkAttribute {
  /** Type without the nested and byte-order bits. */
  readonly type: number;
  /** The value, without padding. Borrowed from the message. */
  readonly value: Uint8Array<ArrayBuffer>;
}

/** The messages of a datagram, up to the first whose length does not fit. */
export function* readMessages(datagram: Uint8Array<ArrayBuffer>): Iterable<NetlinkMessage> {
  const view = viewOf(datagram);
  let at = 0;
  while (at + HEADER_BYTES <= datagram.length) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + HEADER_BYTES, at + length),
    };
    at += align(length);
  }
}

/** The attributes in `bytes` from `offset` on, up to the first whose length does not fit. */
export function* readAttributes(bytes: Uint8Array<ArrayBuffer>, offset = 0): Iterable<NetlinkAttribute> {
  for (let at = offset, length; (length = attributeLength(bytes, at)) > 0; at += align(length)) {
    yield { type: attributeType(bytes, at), value: bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length) };
  }
}

/** The value of the first attribute of this type, or `undefined`. Cheap: asked of each of 100,000 elements of a set. */
export function findAttribute(
  bytes: Uint8Array<ArrayBuffer>,
  type: number,
  offset = 0,
): Uint8Array<ArrayBuffer> | undefined {
  for (let at = offset, length; (length = attributeLength(bytes, at)) > 0; at += align(length)) {
    if (attributeType(bytes, at) === type) return bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length);
  }
  return undefined;
}

/** How long the attribute at `at` is, its header included; 0: there is none whose length fits. */
function attributeLength(bytes: Uint8Array, at: number): number {
  if (at + ATTRIBUTE_HEADER_BYTES > bytes.length) return 0;
  const length = hostUint16(bytes, at);
  return length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length ? 0 : length;
}

function attributeType(bytes: Uint8Array, at: number): number {
  return hostUint16(bytes, at + 2) & TYPE_MASK;
}

function hostUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** The errno of an NLMSG_ERROR payload: 0 is an acknowledgement, otherwise positive. */
export function errorNumber(payload: Uint8Array<ArrayBuffer>): number {
  return payload.length < 4 ? 0 : -viewOf(payload).getInt32(0, true);
}

/** A big-endian 16-bit value, or 0 when it is not there. */
export function readUint16(bytes: Uint8Array<ArrayBuffer> | undefined, offset = 0): number {
  return bytes === undefined || bytes.length < offset + 2 ? 0 : viewOf(bytes).getUint16(offset);
}

/** A big-endian 32-bit value, or 0 when it is not there. */
export function readUint32(bytes: Uint8Array<ArrayBuffer> | undefined, offset = 0): number {
  return bytes === undefined || bytes.length < offset + 4 ? 0 : viewOf(bytes).getUint32(offset);
}

/** A big-endian 64-bit value as a number, or 0 when it is not there. */
export function readUint64(bytes: Uint8Array<ArrayBuffer> | undefined, offset = 0): number {
  return bytes === undefined || bytes.length < offset + 8 ? 0 : Number(viewOf(bytes).getBigUint64(offset));
}

/** Writes messages one after the other into one datagram. Grows as needed; can be used again after {@link reset}. */
export class NetlinkWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /**
   * An empty datagram.
   *
   * @param capacity Bytes to begin with.
   */
  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** The datagram. Borrowed: valid until the next write. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forget everything written. */
  reset(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }

  /** Write one message: header, then whatever `body` writes. */
  message(
    header: { readonly type: number; readonly flags: number; readonly sequence: number },
    body: () => void,
  ): void {
    const start = this.#reserve(HEADER_BYTES);
    this.#view.setUint16(start + 4, header.type, true);
    this.#view.setUint16(start + 6, header.flags, true);
    this.#view.setUint32(start + 8, header.sequence, true);
    body();
    this.#view.setUint32(start, this.#length - start, true);
    this.#pad();
  }

  /** Write an attribute that holds other attributes. */
  nested(type: number, body: () => void): void {
    const start = this.#reserve(ATTRIBUTE_HEADER_BYTES);
    this.#view.setUint16(start + 2, type | NESTED, true);
    body();
    this.#view.setUint16(start, this.#length - start, true);
  }

  /** Write an attribute with these bytes. */
  attribute(type: number, value: Uint8Array): void {
    const start = this.#attribute(type, value.length);
    this.#bytes.set(value, start);
  }

  /** Write an attribute with a text and its terminating NUL. */
  text(type: number, value: string): void {
    this.attribute(type, new TextEncoder().encode(`${value}\0`));
  }

  /** Write an attribute with a big-endian 32-bit number. */
  uint32(type: number, value: number): void {
    const start = this.#attribute(type, 4);
    this.#view.setUint32(start, value);
  }

  /** Write an attribute with a big-endian 64-bit number. */
  uint64(type: number, value: number): void {
    const start = this.#attribute(type, 8);
    this.#view.setUint32(start, Math.floor(value / 2 ** 32));
    this.#view.setUint32(start + 4, value % 2 ** 32);
  }

  /** Write bytes as they are: the fixed header of a family, after the message header. */
  raw(value: Uint8Array): void {
    const start = this.#reserve(value.length);
    this.#bytes.set(value, start);
    this.#pad();
  }

  /** Header of an attribute, with room behind it. @returns Where its value begins. */
  #attribute(type: number, size: number): number {
    const start = this.#reserve(ATTRIBUTE_HEADER_BYTES + size);
    this.#view.setUint16(start, ATTRIBUTE_HEADER_BYTES + size, true);
    this.#view.setUint16(start + 2, type, true);
    this.#pad();
    return start + ATTRIBUTE_HEADER_BYTES;
  }

  /** Everything behind what was written is zero, so that padding is. */
  #reserve(size: number): number {
    const start = this.#length;
    const end = align(start + size);
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = start + size;
    return start;
  }

  #pad(): void {
    this.#length = align(this.#length);
  }
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
