/**
 * Builds packets and capture files for tests, right or wrong in whichever field a test wants.
 * @module
 */
import { addressToBytes, parseAddress } from "../../src/net/address.ts";

/** Bytes from hex; everything but hex digits is a comment for the eye. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replace(/\/\/.*$/gm, "").replace(/[^0-9a-fA-F]/g, "");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Parts one behind the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Big-endian 16-bit values. */
export function u16(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >>> 8) & 255, value & 255]));
}

/** A TCP segment. */
export function tcp(fields: {
  readonly from?: number;
  readonly to: number;
  /** Flag bits; default SYN. */
  readonly flags?: number;
  readonly payload?: Uint8Array;
  /** In 4-byte units; default 5. */
  readonly dataOffset?: number;
}): Uint8Array {
  return concat(
    u16(fields.from ?? 40000, fields.to, 0, 1, 0, 0),
    Uint8Array.of((fields.dataOffset ?? 5) << 4, fields.flags ?? 2),
    u16(1024, 0, 0),
    fields.payload ?? new Uint8Array(0),
  );
}

/** A UDP datagram. */
export function udp(fields: {
  readonly from?: number;
  readonly to: number;
  readonly payload?: Uint8Array;
  readonly length?: number;
}): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(4);
  return concat(u16(fields.from ?? 40000, fields.to, fields.length ?? 8 + payload.length, 0), payload);
}

/** An SCTP packet with one chunk. */
export function sctp(
  fields: { readonly from?: number; readonly to: number; readonly chunk?: number },
): Uint8Array {
  return concat(
    u16(fields.from ?? 40000, fields.to, 0, 0, 0, 0),
    Uint8Array.of(fields.chunk ?? 1, 0, 0, 20),
    new Uint8Array(16),
  );
}

/** An ICMP or ICMPv6 message. */
export function icmp(type: number, code = 0): Uint8Array {
  return concat(Uint8Array.of(type, code), new Uint8Array(6));
}

/** An IP packet of either version, by its addresses. */
export function ip(fields: {
  readonly from: string;
  readonly to: string;
  readonly protocol?: number;
  readonly payload: Uint8Array;
  /** IPv4 options, a multiple of 4 bytes. */
  readonly options?: Uint8Array;
  /** The total (IPv4) or payload (IPv6) length field. */
  readonly length?: number;
  readonly id?: number;
  /** IPv4 fragment field: flags and offset. */
  readonly fragment?: number;
}): Uint8Array<ArrayBuffer> {
  const protocol = fields.protocol ?? 6;
  if (fields.from.includes(":")) {
    return concat(
      Uint8Array.of(0x60, 0, 0, 0),
      u16(fields.length ?? fields.payload.length),
      Uint8Array.of(protocol, 64),
      ipv6Bytes(fields.from),
      ipv6Bytes(fields.to),
      fields.payload,
    );
  }
  const options = fields.options ?? new Uint8Array(0);
  const length = fields.length ?? 20 + options.length + fields.payload.length;
  return concat(
    Uint8Array.of(0x45 + options.length / 4, 0),
    u16(length, fields.id ?? 1, fields.fragment ?? 0),
    Uint8Array.of(64, protocol, 0, 0),
    addressBytes(fields.from),
    addressBytes(fields.to),
    options,
    fields.payload,
  );
}

/** An IPv6 extension header of `units` times 8 bytes more than its first 8, in front of `payload`. */
export function extension(next: number, payload: Uint8Array, units = 0): Uint8Array {
  return concat(Uint8Array.of(next, units), new Uint8Array(6 + units * 8), payload);
}

/** An IPv6 fragment header in front of `payload`. */
export function fragment6(fields: {
  readonly next: number;
  readonly offset: number;
  readonly more: boolean;
  readonly payload: Uint8Array;
}): Uint8Array {
  const field = fields.offset | (fields.more ? 1 : 0);
  return concat(Uint8Array.of(fields.next, 0), u16(field, 0, 7), fields.payload);
}

/** An Ethernet frame. */
export function ethernet(packet: Uint8Array, ...tags: readonly number[]): Uint8Array {
  const type = (packet[0] ?? 0) >>> 4 === 6 ? 0x86dd : 0x0800;
  const vlan = tags.map((tag) => u16(tag, 42));
  return concat(new Uint8Array(12), ...vlan, u16(type), packet);
}

/** A packet of a capture file. */
export interface Recorded {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly bytes: Uint8Array;
  /** Bytes on the wire; default: all were captured. */
  readonly wireLength?: number;
}

/** A pcap file. */
export function pcapFile(packets: readonly Recorded[], options: {
  readonly linkType?: number;
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
} = {}): Uint8Array<ArrayBuffer> {
  const little = options.littleEndian ?? true;
  const perSecond = options.nanoseconds === true ? 1e9 : 1e6;
  const magic = options.nanoseconds === true ? 0xa1b23c4d : 0xa1b2c3d4;
  const header = words(little, magic, little ? 0x00040002 : 0x00020004, 0, 0, 65535, options.linkType ?? 1);
  const records = packets.flatMap(({ time, bytes, wireLength }) => {
    const seconds = Math.floor(time);
    const fraction = Math.round((time - seconds) * perSecond);
    return [words(little, seconds, fraction, bytes.length, wireLength ?? bytes.length), bytes];
  });
  return concat(header, ...records);
}

/** A block of a pcapng file. */
export function block(type: number, body: Uint8Array, little = true): Uint8Array {
  const padding = new Uint8Array((4 - body.length % 4) % 4);
  const length = 12 + body.length + padding.length;
  return concat(words(little, type, length), body, padding, words(little, length));
}

/** 32-bit values in the byte order of a capture file. */
export function words(little: boolean, ...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint32(index * 4, value, little));
  return bytes;
}

function addressBytes(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Not an address: ${text}`);
  return addressToBytes(address);
}

/** Also `::ffff:192.0.2.1` in full, which a packet may carry although it is no address of a host. */
function ipv6Bytes(text: string): Uint8Array {
  const bytes = addressBytes(text);
  return bytes.length === 16 ? bytes : concat(new Uint8Array(10), u16(0xffff), bytes);
}
