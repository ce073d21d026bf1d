/**
 * What the readers of the capture formats have in common: bytes in, packets out, no exception for any bytes.
 * @module
 */
import type { ByteQueue } from "./byte_queue.ts";

/** A packet as it stands in a capture file, link-layer header included. */
export interface CapturedPacket {
  /** The LINKTYPE_ number (tcpdump's registry) of what the bytes begin with. */
  readonly linkType: number;
  /** Seconds since the epoch; that of the packet before it when the file does not say. */
  readonly time: number;
  /** What was captured. Borrowed: valid until more of the file is read. */
  readonly bytes: Uint8Array;
  /** How long the packet was, link-layer header included. */
  readonly wireLength: number;
}

/** What a reader found at its place in the file. */
export type Step =
  | { readonly kind: "packet"; readonly packet: CapturedPacket }
  /** Something that is no packet. */
  | { readonly kind: "skipped" }
  /** A record whose end has not come yet. */
  | { readonly kind: "more" }
  /** Nothing that follows can be trusted. */
  | { readonly kind: "fault"; readonly message: string };

/** Reads one capture format. */
export interface CaptureReader {
  /** Take the next record out of the queue, if it is whole. */
  next(queue: ByteQueue): Step;
}

/** No interface hands over longer packets (tcpdump's and Wireshark's own limit): a record that claims to lies. */
export const MAX_PACKET_BYTES = 262_144;

/** The step "a record whose end has not come yet". */
export const MORE: Step = { kind: "more" };
/** The step "something that is no packet". */
export const SKIPPED: Step = { kind: "skipped" };

/** The step "nothing that follows can be trusted". */
export function fault(message: string): Step {
  return { kind: "fault", message };
}

/** A view of bytes that are about to be read in either byte order. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
