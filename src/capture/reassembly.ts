/**
 * Fragments become whole packets again, as the kernel has done it for the daemon before a trap sees them.
 *
 * Follows Linux: a datagram whose fragments overlap is thrown away (RFC 5722; net/ipv4/inet_fragment.c), an exact
 * duplicate is not counted, and what is not complete in time is forgotten. Nobody is judged by what no host would have
 * put together.
 *
 * Bounds: 1024 datagrams at once, the oldest is forgotten first; of each datagram only the first bytes are kept, which
 * is where the headers are; at most 1024 fragments of each, more are thrown away with their datagram.
 * @module
 */
import { IPPROTO } from "../net/protocol.ts";

const MAX_DATAGRAMS = 1024;
const MAX_FRAGMENTS = 1024;
const KEPT_BYTES = 512;
/** net.ipv4.ipfrag_time */
const TIMEOUT_SECONDS = 30;
const MAX_PAYLOAD_BYTES = 65_535;

/** A packet, or a part of one. */
export interface IpPacket {
  /** From the IP header on, possibly cut short. */
  readonly bytes: Uint8Array;
  /** Bytes on the wire. */
  readonly wireLength: number;
}

interface Fragment {
  /** Equal for the fragments of one datagram and no others. */
  readonly key: string;
  /** The headers that every fragment repeats. */
  readonly header: Uint8Array;
  /** First byte of this part within the datagram. */
  readonly offset: number;
  /** Bytes of this part on the wire. */
  readonly length: number;
  /** What was captured of them. */
  readonly payload: Uint8Array;
  /** Whether more follow behind this part. */
  readonly more: boolean;
}

interface Datagram {
  readonly since: number;
  readonly kept: Uint8Array;
  readonly parts: { readonly offset: number; readonly length: number }[];
  /** How many of the kept bytes were captured without a gap that a short capture left. */
  known: number;
  /** The header of the first part, once it is there. */
  first: Fragment | undefined;
  /** How long the datagram is, once its last part is there. */
  total: number | undefined;
}

/** Puts fragments together. */
export class Reassembler {
  readonly #datagrams = new Map<string, Datagram>();

  /** A packet that is no fragment comes back as it is, the last missing fragment as the whole, others as `undefined`. */
  add(packet: IpPacket, time: number): IpPacket | undefined {
    const fragment = readFragment(packet);
    if (fragment === undefined) return packet;
    const datagram = this.#datagram(fragment, time);
    if (!place(datagram, fragment)) {
      this.#datagrams.delete(fragment.key);
      return undefined;
    }
    const received = datagram.parts.reduce((sum, part) => sum + part.length, 0);
    if (datagram.first === undefined || datagram.total !== received) return undefined;
    this.#datagrams.delete(fragment.key);
    return join(
      datagram.first,
      datagram.kept.subarray(0, Math.min(datagram.known, datagram.total)),
      datagram.total,
    );
  }

  #datagram(fragment: Fragment, time: number): Datagram {
    const known = this.#datagrams.get(fragment.key);
    if (known !== undefined && Math.abs(time - known.since) <= TIMEOUT_SECONDS) return known;
    this.#datagrams.delete(fragment.key);
    for (const oldest of this.#datagrams.keys()) {
      if (this.#datagrams.size < MAX_DATAGRAMS) break;
      this.#datagrams.delete(oldest);
    }
    const fresh = {
      since: time,
      kept: new Uint8Array(KEPT_BYTES),
      parts: [],
      known: KEPT_BYTES,
      first: undefined,
      total: undefined,
    };
    this.#datagrams.set(fragment.key, fresh);
    return fresh;
  }
}

/** @returns False when the fragment contradicts those before it. */
function place(datagram: Datagram, fragment: Fragment): boolean {
  const { offset, length } = fragment;
  const end = offset + length;
  for (const part of datagram.parts) {
    if (part.offset === offset && part.length === length) return true;
    if (offset < part.offset + part.length && part.offset < end) return false;
    if (!fragment.more && part.offset >= end) return false;
  }
  if (end > (datagram.total ?? MAX_PAYLOAD_BYTES) || datagram.parts.length === MAX_FRAGMENTS) return false;
  // All but the last are multiples of 8 bytes long; a shorter one can never be joined.
  if (fragment.more && (length % 8 !== 0 || length === 0)) return false;
  if (!fragment.more) datagram.total = end;
  if (offset === 0) datagram.first = { ...fragment, header: fragment.header.slice() };
  datagram.parts.push({ offset, length });
  if (offset < KEPT_BYTES) datagram.kept.set(fragment.payload.subarray(0, KEPT_BYTES - offset), offset);
  if (fragment.payload.length < length) {
    datagram.known = Math.min(datagram.known, offset + fragment.payload.length);
  }
  return true;
}

function join(first: Fragment, payload: Uint8Array, total: number): IpPacket {
  const bytes = new Uint8Array(first.header.length + payload.length);
  bytes.set(first.header);
  bytes.set(payload, first.header.length);
  const view = new DataView(bytes.buffer);
  const wireLength = first.header.length + total;
  if ((bytes[0] ?? 0) >>> 4 === 4) {
    view.setUint16(2, Math.min(0xffff, wireLength));
    view.setUint16(6, 0);
  } else {
    view.setUint16(4, Math.min(0xffff, wireLength - 40));
  }
  return { bytes, wireLength };
}

/** What stands in a fragment, or `undefined` for a packet that is whole or cannot be read. */
function readFragment(packet: IpPacket): Fragment | undefined {
  switch ((packet.bytes[0] ?? 0) >>> 4) {
    case 4:
      return readIpv4Fragment(packet);
    case 6:
      return readIpv6Fragment(packet);
    default:
      return undefined;
  }
}

function readIpv4Fragment({ bytes, wireLength }: IpPacket): Fragment | undefined {
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = view.getUint16(6);
  if ((field & 0x3fff) === 0) return undefined;
  const headerBytes = (view.getUint8(0) & 15) * 4;
  const end = view.getUint16(2);
  if (headerBytes < 20 || bytes.length < headerBytes || end < headerBytes || end > wireLength) {
    return undefined;
  }
  return {
    key: `4,${view.getUint16(4)},${view.getUint32(12)},${view.getUint32(16)},${view.getUint8(9)}`,
    header: bytes.subarray(0, headerBytes),
    offset: (field & 0x1fff) * 8,
    length: end - headerBytes,
    payload: bytes.subarray(headerBytes, end),
    more: (field & 0x2000) !== 0,
  };
}

/** Looks for a fragment header behind the headers that routers read; others stand inside the cut-up part. */
function readIpv6Fragment({ bytes, wireLength }: IpPacket): Fragment | undefined {
  if (bytes.length < 48) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 40 + view.getUint16(4);
  let typeAt = 6;
  let start = 40;
  while (isBeforeFragment(view.getUint8(typeAt))) {
    if (start + 8 > bytes.length) return undefined;
    typeAt = start;
    start += (view.getUint8(start + 1) + 1) * 8;
  }
  if (view.getUint8(typeAt) !== IPPROTO.fragment || start + 8 > bytes.length || end > wireLength) {
    return undefined;
  }
  const field = view.getUint16(start + 2);
  // Offset 0 and nothing to follow: an "atomic" fragment (RFC 6946) is a whole packet.
  if ((field & 0xfff9) === 0 || start + 8 > end) return undefined;
  const header = bytes.slice(0, start);
  header[typeAt] = view.getUint8(start);
  return {
    key: `6,${view.getUint32(start + 4)},${bytes.subarray(8, 40).join()}`,
    header,
    offset: field & 0xfff8,
    length: end - start - 8,
    payload: bytes.subarray(start + 8, end),
    more: (field & 1) !== 0,
  };
}

function isBeforeFragment(protocol: number): boolean {
  return protocol === IPPROTO.hopOptions || protocol === IPPROTO.destinationOptions ||
    protocol === IPPROTO.routing;
}
