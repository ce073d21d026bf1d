/**
 * The part of a packet that lies behind its network headers: where it is, and how long it was on the wire.
 * @module
 */
import type { Envelope } from "./packet.ts";

/** A transport header and what follows it, still as bytes. */
export interface Segment {
  /** What the network header said. */
  readonly envelope: Envelope;
  /** The bytes of the packet. Borrowed from the frame. */
  readonly bytes: Uint8Array;
  /** Where the transport header begins. */
  readonly start: number;
  /** Where the packet ended on the wire; beyond `bytes.length` when the capture was cut short. */
  readonly end: number;
}

/** A big-endian 16-bit value. The caller has checked that it is there; missing bytes read as 0. */
export function uint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}
