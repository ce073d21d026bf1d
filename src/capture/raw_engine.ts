/**
 * The raw engine: packets to trapped ports as a packet socket shows them, before any firewall.
 *
 * Whether a local socket owns the port, and whether the packet was meant for this host at all, is not known here.
 * @module
 */
import { EXIT, SyscallError, UserError } from "../errors.ts";
import type { Trap } from "../config/trap.ts";
import { PacketSocket } from "../ffi/packet_socket.ts";
import type { BpfProgram } from "../net/bpf.ts";
import type { PortRange } from "../net/ports.ts";
import { readSmallFile } from "../system/proc.ts";
import type { Engine, EngineStats, FrameSink } from "./frame.ts";
import { PacedReader } from "./paced_reader.ts";
import { compileTrap, instructionLimit } from "./trap_filter.ts";

/** While packets are many the ring is read by the clock: at a million a second this is half of it. */
const BUSY_INTERVAL_MS = 8;
/** net.core.optmem_max before Linux 6.7; old kernels do not show it in every network namespace. */
const DEFAULT_OPTMEM_MAX = 20480;

/** What a {@link RawEngine} needs. */
export interface RawEngineOptions {
  /** Takes the packets. */
  readonly sink: FrameSink;
  /** The ports to watch at first. */
  readonly trap: Trap;
  /** The ports that this host connects from. */
  readonly ephemeral: PortRange;
  /** Longest filter. Default: what {@link instructionLimit} makes of this host's optmem_max. */
  readonly maxInstructions?: number;
}

/** Sees packets through a packet socket. */
export class RawEngine implements Engine {
  /** See {@link Engine.name}. */
  readonly name = "raw";
  readonly #options: RawEngineOptions;
  readonly #maxInstructions: number;
  #trap: Trap;
  #socket: PacketSocket | undefined;
  #reader: PacedReader | undefined;
  #reported = 0;
  #final: EngineStats | undefined;

  /** Nothing is opened yet. */
  constructor(options: RawEngineOptions) {
    this.#options = options;
    this.#maxInstructions = options.maxInstructions ?? instructionLimit(optmemMaxBytes());
    this.#trap = options.trap;
  }

  /**
   * Open the socket and deliver from now on.
   *
   * @throws {UserError} With exit code 77 when the process may not open packet sockets.
   */
  start(): Promise<void> {
    return Promise.try(() => this.#start());
  }

  /**
   * Watch other ports from now on; no packet is missed or seen twice over it.
   *
   * @throws {SyscallError} When the kernel refuses the new filter; the old one stays.
   */
  setTrap(trap: Trap): void {
    this.#socket?.setFilter(this.#compile(trap));
    this.#trap = trap;
  }

  /** See {@link Engine.stats}. */
  stats(): EngineStats {
    if (this.#final !== undefined) return this.#final;
    const { packets, lost } = this.#socket?.stats() ?? { packets: 0, lost: 0 };
    return { trapped: packets, reported: this.#reported, lost };
  }

  /** Stop and close everything. Resolves when nothing of this engine is left. */
  async stop(): Promise<void> {
    this[Symbol.dispose]();
    await this.#reader?.stop();
  }

  /** Deliver nothing more from this moment on; descriptors are closed as soon as the kernel lets go of them. */
  [Symbol.dispose](): void {
    if (this.#final !== undefined) return;
    this.#final = this.stats();
    this.#reader?.[Symbol.dispose]();
  }

  #start(): void {
    if (this.#socket !== undefined || this.#final !== undefined) return;
    const socket = this.#open();
    this.#socket = socket;
    this.#reader = new PacedReader({
      fds: [socket.fd],
      take: (max) => socket.drain(max, (frame) => this.#deliver(frame)),
      flush: () => this.#options.sink.flush(),
      close: () => socket[Symbol.dispose](),
      intervalMs: BUSY_INTERVAL_MS,
      quietIntervals: 1,
    });
  }

  #open(): PacketSocket {
    try {
      return new PacketSocket(this.#compile(this.#trap));
    } catch (error) {
      if (!(error instanceof SyscallError) || error.code !== "EPERM") throw error;
      throw new UserError("Cannot open a packet socket: this needs root or CAP_NET_RAW", {
        exitCode: EXIT.permission,
        cause: error,
      });
    }
  }

  #compile(trap: Trap): BpfProgram {
    return compileTrap(trap, {
      ephemeral: this.#options.ephemeral,
      maxInstructions: this.#maxInstructions,
    });
  }

  #deliver(frame: Parameters<FrameSink["frame"]>[0]): void {
    if (this.#final !== undefined) return;
    this.#reported++;
    this.#options.sink.frame(frame);
  }
}

function optmemMaxBytes(): number {
  const text = readSmallFile("/proc/sys/net/core/optmem_max")?.trim() ?? "";
  return /^\d+$/.test(text) ? Number(text) : DEFAULT_OPTMEM_MAX;
}
