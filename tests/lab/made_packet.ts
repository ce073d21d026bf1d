/**
 * Packets made to measure, as bytes. Transport checksums are left out: whoever only looks at packets checks none.
 * @module
 */
import { type Address, addressToBytes, parseAddress } from "../../src/net/address.ts";

/** What goes into a packet; everything but the protocol has a plain default. */
export interface PacketOptions {
  /** Default: 4. */
  readonly family?: 4 | 6;
  readonly source?: string;
  readonly dest?: string;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destPort?: number;
  /** TCP flags; default: SYN. */
  readonly flags?: number;
  /** First SCTP chunk, or ICMP type. */
  readonly type?: number;
  /** Bytes of IPv4 options, a multiple of 4. */
  readonly options?: number;
  /** IPv4: the field with flags and offset. IPv6: a fragment header with this offset field is put in. */
  readonly fragment?: number;
  /** IPv6: an extension header of this number is put in. */
  readonly extension?: number;
  /** How long that header is, a multiple of 8; default: 8. It is filled with options that every host skips. */
  readonly extensionBytes?: number;
  /** Bytes of UDP payload. */
  readonly payload?: number;
  /** Cut the transport part to this length. */
  readonly transportBytes?: number;
}

/** The packet from its IP header on. */
export function packetBytes(options: PacketOptions): Uint8Array<ArrayBuffer> {
  const transport = transportBytes(options).subarray(0, options.transportBytes);
  const header = (options.family ?? 4) === 4
    ? ipv4Header(options, transport.length)
    : ipv6Header(options, transport.length);
  const bytes = new Uint8Array(header.length + transport.length);
  bytes.set(header);
  bytes.set(transport, header.length);
  return bytes;
}

function transportBytes(options: PacketOptions): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  if (options.protocol === 1 || options.protocol === 58) {
    bytes[0] = options.type ?? 0;
    return bytes;
  }
  view.setUint16(0, options.sourcePort ?? 40000);
  view.setUint16(2, options.destPort ?? 0);
  if (options.protocol === 17) {
    const length = 8 + (options.payload ?? 0);
    view.setUint16(4, length);
    const datagram = new Uint8Array(length);
    datagram.set(bytes.subarray(0, 8));
    return datagram;
  }
  if (options.protocol === 6) {
    bytes[12] = 0x50;
    bytes[13] = options.flags ?? 2;
  }
  if (options.protocol === 132) bytes[12] = options.type ?? 1;
  return bytes;
}

function ipv4Header(options: PacketOptions, payload: number): Uint8Array {
  const length = 20 + (options.options ?? 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x40 | (length / 4);
  view.setUint16(2, length + payload);
  view.setUint16(6, options.fragment ?? 0x4000);
  bytes[8] = 64;
  bytes[9] = options.protocol;
  bytes.set(address(options.source ?? "192.0.2.1"), 12);
  bytes.set(address(options.dest ?? "192.0.2.2"), 16);
  view.setUint16(10, checksum(view));
  return bytes;
}

/** RFC 1071. Bridges drop packets without it. */
function checksum(header: DataView): number {
  let sum = 0;
  for (let at = 0; at < header.byteLength; at += 2) sum += header.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ipv6Header(options: PacketOptions, payload: number): Uint8Array {
  const extension = options.fragment === undefined ? options.extension : 44;
  const more = extension === undefined ? 0 : options.extensionBytes ?? 8;
  const bytes = new Uint8Array(40 + more);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x60;
  view.setUint16(4, more + payload);
  bytes[6] = extension ?? options.protocol;
  bytes[7] = 64;
  bytes.set(address(options.source ?? "2001:db8::1"), 8);
  bytes.set(address(options.dest ?? "2001:db8::2"), 24);
  if (extension === undefined) return bytes;
  bytes[40] = options.protocol;
  if (options.fragment !== undefined) view.setUint16(42, options.fragment);
  else {
    bytes[41] = more / 8 - 1;
    fillOptions(bytes.subarray(42));
  }
  return bytes;
}

/** Options of type 0x1e: unknown, and its two highest bits say "skip" (RFC 8200, section 4.2). */
function fillOptions(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const left = bytes.length - at - 2;
    // A remainder of one byte could hold no option.
    const length = left > 255 ? Math.min(255, left - 2) : left;
    bytes[at] = 0x1e;
    bytes[at + 1] = length;
    at += 2 + length;
  }
}

function address(text: string): Uint8Array {
  const parsed: Address | undefined = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return addressToBytes(parsed);
}
