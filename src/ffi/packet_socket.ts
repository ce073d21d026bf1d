/**
 * A packet socket: copies of the packets that a filter lets through, in a ring shared with the kernel.
 * @module
 */
import { SyscallError } from "../errors.ts";
import type { BpfProgram } from "../net/bpf.ts";
import { checked, lastErrno } from "./errno.ts";
import { libc } from "./libc.ts";
import { FRAME_BYTES, PacketRing, type RingFrame } from "./packet_ring.ts";
import { attachFilter } from "./socket_filter.ts";

const AF_PACKET = 17;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0x80000 | 0x800;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_FANOUT = 18;
const TPACKET_V2 = 1;
const ETH_P_ALL = 3;
const SOCKADDR_LL_BYTES = 20;
/** Hands every packet to the CPU's member, of which there is one: the cheapest rule there is. */
const PACKET_FANOUT_CPU = 2;
const PACKET_FANOUT_FLAG_UNIQUEID = 0x2000;
const PACKET_FANOUT_FLAG_DEFRAG = 0x8000;
const MSG_DONTWAIT = 0x40;

/** 16,384 frames: 16 ms at a million packets a second. */
const RING_BYTES = 4 << 20;
const BLOCK_BYTES = 1 << 16;
/** The longest packet that IP can carry. */
const PACKET_BYTES = 65536;

/** What the kernel counted since the socket was opened. */
export interface PacketStats {
  /** Packets that passed the filter. */
  readonly packets: number;
  /** Those of them that found no room in the ring. */
  readonly lost: number;
}

/** An open packet socket on all interfaces. Needs CAP_NET_RAW. */
export class PacketSocket implements Disposable {
  /** The descriptor, for a poller. Closed by dispose. */
  readonly fd: number;
  readonly #ring: PacketRing;
  /** Allocated when the first packet comes that does not fit a frame. */
  #copy: Uint8Array<ArrayBuffer> | undefined;
  #packets = 0;
  #lost = 0;
  #closed = false;

  /**
   * Opened with protocol 0 and bound last, so that no packet gets in that the filter has not seen.
   *
   * @param filter May be replaced later.
   * @throws {SyscallError} EPERM without the privilege; ENOMEM when the filter is larger than optmem_max allows.
   */
  constructor(filter: BpfProgram) {
    this.fd = checked(libc.socket(AF_PACKET, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "open packet socket");
    let ring: PacketRing | undefined;
    try {
      attachFilter(this.fd, filter);
      this.#set(PACKET_VERSION, [TPACKET_V2], "choose TPACKET_V2");
      // A packet that does not fit a frame is also queued whole.
      this.#set(PACKET_COPY_THRESH, [1], "set copy threshold");
      this.#set(PACKET_RX_RING, ringRequest(), "make packet ring");
      ring = new PacketRing(this.fd, RING_BYTES);
      checked(libc.bind(this.fd, anyInterface(), SOCKADDR_LL_BYTES), "bind packet socket");
      // Only a bound socket may join a group (Linux before 6.13); a lone member is enough to have IPv4 fragments
      // reassembled before the filter runs.
      const fanout = PACKET_FANOUT_CPU | PACKET_FANOUT_FLAG_UNIQUEID | PACKET_FANOUT_FLAG_DEFRAG;
      this.#set(PACKET_FANOUT, [fanout << 16], "have fragments reassembled");
    } catch (error) {
      ring?.[Symbol.dispose]();
      libc.close(this.fd);
      throw error;
    }
    this.#ring = ring;
  }

  /**
   * Replace the filter; no packet passes between the old one and the new one.
   *
   * @throws {SyscallError} ENOMEM when both together are larger than optmem_max allows; the old one stays.
   */
  setFilter(filter: BpfProgram): void {
    attachFilter(this.fd, filter);
  }

  /**
   * Hand over what is waiting, without waiting for more.
   *
   * @param max Frames taken at most.
   * @param handler Called for each packet, once even if two interfaces showed it.
   * @returns Frames taken; fewer than `max` when the ring is empty now.
   */
  drain(max: number, handler: (frame: RingFrame) => void): number {
    return this.#ring.drain(max, { handler, whole: () => this.#whole() });
  }

  /** What the kernel counted. Reading resets the kernel's own counters; these add up. */
  stats(): PacketStats {
    if (!this.#closed) {
      // struct tpacket_stats: unsigned tp_packets (lost ones included), tp_drops.
      const counters = new Uint32Array(2);
      const bytes = new Uint8Array(counters.buffer);
      checked(
        libc.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, bytes, uint32s([bytes.length])),
        "read packet statistics",
      );
      this.#packets += counters[0] ?? 0;
      this.#lost += counters[1] ?? 0;
    }
    return { packets: this.#packets, lost: this.#lost };
  }

  /** Close the socket and its ring. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.stats();
    this.#closed = true;
    this.#ring[Symbol.dispose]();
    libc.close(this.fd);
  }

  /** The queued copy that belongs to a frame. The kernel queues them in the order of the frames. */
  #whole(): Uint8Array | undefined {
    this.#copy ??= new Uint8Array(PACKET_BYTES);
    const length = Number(libc.recv(this.fd, this.#copy, BigInt(PACKET_BYTES), MSG_DONTWAIT));
    if (length >= 0) return this.#copy.subarray(0, length);
    const code = lastErrno();
    if (code === "EAGAIN" || code === "EINTR") return undefined;
    throw new SyscallError("receive whole packet", code);
  }

  #set(option: number, values: readonly number[], operation: string): void {
    const bytes = uint32s(values);
    checked(libc.setsockopt(this.fd, SOL_PACKET, option, bytes, bytes.length), operation);
  }
}

/** struct tpacket_req: unsigned tp_block_size, tp_block_nr, tp_frame_size, tp_frame_nr. */
function ringRequest(): readonly number[] {
  return [BLOCK_BYTES, RING_BYTES / BLOCK_BYTES, FRAME_BYTES, RING_BYTES / FRAME_BYTES];
}

/** struct sockaddr_ll for every protocol on every interface. */
function anyInterface(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SOCKADDR_LL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL);
  return bytes;
}

function uint32s(values: readonly number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
