/**
 * The TPACKET_V2 receive ring of a packet socket: memory that the kernel fills and that is read here without copying.
 *
 * Layout (linux/if_packet.h, host order), a frame every {@link FRAME_BYTES}:
 * struct tpacket2_hdr, 32 bytes: u32 tp_status @0, u32 tp_len @4, u32 tp_snaplen @8, u16 tp_mac @12, u16 tp_net @14,
 * u32 tp_sec @16, u32 tp_nsec @20, u16 tp_vlan_tci @24; then struct sockaddr_ll, 20 bytes, at 32: ifindex @36,
 * pkttype @42; then the packet at tp_net (80 for SOCK_DGRAM).
 * @module
 */
import { lastErrno } from "./errno.ts";
import { SyscallError } from "../errors.ts";
import { libc } from "./libc.ts";

/** A frame: header, and {@link FRAME_DATA_BYTES} of packet. */
export const FRAME_BYTES = 256;
/** Where the packet begins in a frame. */
const NET_OFFSET = 80;
/** How much of a packet a frame holds. */
export const FRAME_DATA_BYTES = FRAME_BYTES - NET_OFFSET;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const TP_STATUS_USER = 1;
const TP_STATUS_COPY = 2;
const PACKET_OUTGOING = 4;
/** Frames looked back at for the same packet from another interface. */
const TWIN_FRAMES = 8;
const TWIN_SECONDS = 0.05;

/** One packet in the ring. */
export interface RingFrame {
  /** Seconds since the epoch, by the kernel's clock. */
  readonly time: number;
  /** The IP packet, possibly cut short. Borrowed: valid only until the handler returns. */
  readonly bytes: Uint8Array;
  /** Length of the packet on the wire from the network layer on. */
  readonly wireLength: number;
  /** Whether the host itself sent the packet. */
  readonly outgoing: boolean;
}

/** A mapped ring. */
export class PacketRing implements Disposable {
  readonly #pointer: Deno.PointerObject;
  readonly #size: number;
  readonly #frames: number;
  readonly #buffer: ArrayBuffer;
  readonly #words: Int32Array;
  readonly #view: DataView;
  #head = 0;
  #closed = false;

  /**
   * Maps the ring.
   *
   * @param fd A packet socket on which PACKET_RX_RING was set. May be closed before the ring is.
   * @param size Bytes of the whole ring, a multiple of {@link FRAME_BYTES}.
   * @throws {SyscallError} When the ring cannot be mapped.
   */
  constructor(fd: number, size: number) {
    const pointer = libc.mmap(null, BigInt(size), PROT_READ_WRITE, MAP_SHARED, fd, 0n);
    // MAP_FAILED is (void *)-1, which is no null pointer.
    if (pointer === null || Deno.UnsafePointer.value(pointer) === 0xffff_ffff_ffff_ffffn) {
      throw new SyscallError("map packet ring", lastErrno());
    }
    this.#pointer = pointer;
    this.#size = size;
    this.#frames = size / FRAME_BYTES;
    this.#buffer = new Deno.UnsafePointerView(pointer).getArrayBuffer(size);
    this.#words = new Int32Array(this.#buffer);
    this.#view = new DataView(this.#buffer);
  }

  /**
   * Hand over what is waiting now, at most `max` frames, each back to the kernel afterwards. What comes meanwhile is left
   * for the next time: a scanner who sends as fast as we read must not keep the caller from acting on a batch.
   *
   * @param whole Gives the whole packet when the frame was too small for it, `undefined` when it cannot.
   * @returns How many frames were taken, including twins that were not handed over.
   */
  drain(
    max: number,
    options: { readonly handler: (frame: RingFrame) => void; readonly whole: () => Uint8Array | undefined },
  ): number {
    const waiting = this.#waiting(max);
    let taken = 0;
    while (taken < waiting && !this.#closed) {
      const at = this.#head * FRAME_BYTES;
      const status = Atomics.load(this.#words, at >> 2);
      this.#head = (this.#head + 1) % this.#frames;
      taken++;
      try {
        const copy = (status & TP_STATUS_COPY) === 0 ? undefined : options.whole();
        if (!this.#hasTwin(at)) options.handler(this.#frame(at, copy));
      } finally {
        // A handler that fails must not leave the ring stuck at this frame.
        if (!this.#closed) Atomics.store(this.#words, at >> 2, 0);
      }
    }
    return taken;
  }

  /** How many frames are ours to read at this moment, at most `max` and once around. */
  #waiting(max: number): number {
    const most = this.#closed ? 0 : Math.min(max, this.#frames);
    for (let count = 0; count < most; count++) {
      const at = ((this.#head + count) % this.#frames) * FRAME_BYTES;
      if ((Atomics.load(this.#words, at >> 2) & TP_STATUS_USER) === 0) return count;
    }
    return most;
  }

  /** Unmap. Twice is harmless; afterwards {@link PacketRing.drain} finds nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.munmap(this.#pointer, BigInt(this.#size));
  }

  #frame(at: number, copy: Uint8Array | undefined): RingFrame {
    const view = this.#view;
    const kept = Math.min(view.getUint32(at + 8, true), FRAME_DATA_BYTES);
    return {
      time: this.#time(at),
      bytes: copy ?? new Uint8Array(this.#buffer, at + view.getUint16(at + 14, true), kept),
      wireLength: view.getUint32(at + 4, true),
      outgoing: view.getUint8(at + 42) === PACKET_OUTGOING,
    };
  }

  #time(at: number): number {
    return this.#view.getUint32(at + 16, true) + this.#view.getUint32(at + 20, true) / 1e9;
  }

  /**
   * Whether the same packet was just read from another interface.
   *
   * A packet that comes through a port of a bridge or bond is shown on the port and again on the bridge. Frames that
   * were given back keep their bytes until the kernel comes round to them; the ones just behind the head are last.
   */
  #hasTwin(at: number): boolean {
    const view = this.#view;
    const device = view.getInt32(at + 36, true);
    for (let back = 1; back <= TWIN_FRAMES; back++) {
      const other = (at - back * FRAME_BYTES + this.#size) % this.#size;
      if (view.getInt32(other + 36, true) !== device && this.#sameBytes(at, other)) return true;
    }
    return false;
  }

  #sameBytes(a: number, b: number): boolean {
    const view = this.#view;
    const net = view.getUint16(a + 14, true);
    if (view.getUint32(a + 4, true) !== view.getUint32(b + 4, true)) return false;
    if (view.getUint16(b + 14, true) !== net || Math.abs(this.#time(a) - this.#time(b)) > TWIN_SECONDS) {
      return false;
    }
    const length = Math.min(view.getUint32(a + 8, true), FRAME_DATA_BYTES) & ~3;
    for (let i = net; i < net + length; i += 4) {
      if (view.getUint32(a + i, true) !== view.getUint32(b + i, true)) return false;
    }
    return true;
  }
}
