/**
 * What the engines hand over: packets as bytes, or contacts that the kernel has already taken apart.
 * @module
 */
import type { Address } from "../net/address.ts";

/** One packet from the network layer on (the first byte is the IP header's). */
export interface Frame {
  /** Seconds since the epoch, from the kernel or the capture file. */
  readonly time: number;
  /** The IP packet, possibly cut short. Borrowed: valid only until the handler returns. */
  readonly bytes: Uint8Array;
  /** Length of the packet on the wire, in bytes; more than `bytes.length` when the capture was cut short. */
  readonly wireLength: number;
  /** Whether the host itself sent the packet. */
  readonly outgoing: boolean;
}

/** Somebody reached a bound trap socket (mode `connect`). */
export interface Contact {
  /** Seconds since the epoch. */
  readonly time: number;
  /** Who came. */
  readonly source: Address;
  /** Which of our addresses they came to; the unspecified address when the kernel did not say. */
  readonly dest: Address;
  /** `tcp`: a completed handshake. `udp`: a datagram. */
  readonly protocol: "tcp" | "udp";
  /** The trap's port. */
  readonly port: number;
}

/** Counters of an engine since it was started. All grow only. */
export interface EngineStats {
  /** Packets that reached the trap. */
  readonly trapped: number;
  /** Packets that were handed over to us. */
  readonly reported: number;
  /** Packets that the kernel dropped before we could read them. */
  readonly lost: number;
}

/** Where the packets of a running daemon come from. Disposing it closes every descriptor; twice is harmless. */
export interface Engine extends Disposable {
  /** The name shown in log and status. */
  readonly name: "kernel" | "raw" | "connect";
  /** Start to deliver. Resolves when the trap is armed. */
  start(): Promise<void>;
  /** The counters so far. */
  stats(): EngineStats;
  /** Stop and close everything. Resolves when nothing of this engine is left. */
  stop(): Promise<void>;
}

/** Whoever takes what the engines see. Called synchronously; must not keep a frame's bytes. */
export interface FrameSink {
  /** A packet. */
  frame(frame: Frame): void;
  /** A contact of mode `connect`. */
  contact(contact: Contact): void;
  /** Nothing more is waiting at this moment: the time to act on everything since the last flush, in one batch. */
  flush(): void;
}
