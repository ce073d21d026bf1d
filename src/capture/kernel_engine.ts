/**
 * The kernel engine: packets that fell into the trap of our nftables ruleset, as NFLOG reports them.
 *
 * By then the kernel has asked whether a socket owns the port, whether the packet is for this host at all, and whether
 * its source is to be held; nothing of a real service's traffic comes here.
 * @module
 */
import type { Engine, EngineStats, FrameSink } from "./frame.ts";
import { LogGroup } from "./log_group.ts";
import { NFLOG_GROUP } from "./nflog.ts";
import { PacedReader } from "./paced_reader.ts";

/** While packets are many the groups are read by the clock. Their sources are kept out by the kernel in the meantime. */
const BUSY_INTERVAL_MS = 25;
/** Each packet at once: a ban is as late as its report. */
const QUIET = { threshold: 1, timeoutCs: 0 } as const;
/** Many packets a datagram, and none older than twenty milliseconds. */
const BUSY = { threshold: 32, timeoutCs: 2 } as const;

/** What a {@link KernelEngine} needs. */
export interface KernelEngineOptions {
  /** Takes the packets. */
  readonly sink: FrameSink;
  /** How many packets the trap has counted, as the ruleset says; left out: those reported and lost. */
  readonly trapped?: () => number;
  /** Seconds since the epoch, for packets that the kernel has put no time on. */
  readonly now?: () => number;
  /** The groups that the ruleset logs to (default: {@link NFLOG_GROUP}). */
  readonly groups?: readonly number[];
}

/** Sees packets through the trap of our nftables ruleset, which somebody else loads. */
export class KernelEngine implements Engine {
  /** See {@link Engine.name}. */
  readonly name = "kernel";
  readonly #options: KernelEngineOptions;
  #groups: readonly LogGroup[] = [];
  #reader: PacedReader | undefined;
  #reported = 0;
  /** Since the start, whatever became of the ruleset's own counters meanwhile. */
  #trapped = 0;
  #trappedBefore = 0;
  #final: EngineStats | undefined;

  /** Nothing is opened yet. */
  constructor(options: KernelEngineOptions) {
    this.#options = options;
  }

  /**
   * Bind the groups and deliver from now on.
   *
   * @throws {UserError} With exit code 77 when the process may not, and 69 when another program has one of the groups.
   */
  start(): Promise<void> {
    if (this.#groups.length > 0 || this.#final !== undefined) return Promise.resolve();
    using groups = new DisposableStack();
    // Sources in quarantine come first in a turn: they are one probe away from their ban.
    const numbers = this.#options.groups ?? [NFLOG_GROUP.held, NFLOG_GROUP.first];
    this.#groups = numbers.map((number) => groups.use(new LogGroup(number, QUIET)));
    this.#trappedBefore = this.#options.trapped?.() ?? 0;
    const opened = groups.move();
    this.#reader = new PacedReader({
      fds: this.#groups.map((group) => group.fd),
      take: (max) => this.#take(max),
      flush: () => this.#options.sink.flush(),
      close: () => opened[Symbol.dispose](),
      intervalMs: BUSY_INTERVAL_MS,
      quietIntervals: Math.ceil(BUSY.timeoutCs * 10 / BUSY_INTERVAL_MS) + 1,
      onBusy: (busy) => this.#gather(busy ? BUSY : QUIET),
    });
    return Promise.resolve();
  }

  /** See {@link Engine.stats}. */
  stats(): EngineStats {
    if (this.#final !== undefined) return this.#final;
    const lost = this.#groups.reduce((sum, group) => sum + group.lost, 0);
    const counted = this.#options.trapped?.();
    if (counted === undefined) return { trapped: this.#reported + lost, reported: this.#reported, lost };
    // A ruleset that was flushed and loaded again counts from 0.
    this.#trapped += counted < this.#trappedBefore ? counted : counted - this.#trappedBefore;
    this.#trappedBefore = counted;
    return { trapped: this.#trapped, reported: this.#reported, lost };
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

  #take(max: number): number {
    const now = this.#options.now?.() ?? Date.now() / 1000;
    let taken = 0;
    for (const group of this.#groups) {
      taken += group.drain(max - taken, now, (frame) => {
        if (this.#final !== undefined) return;
        this.#reported++;
        this.#options.sink.frame(frame);
      });
    }
    return taken;
  }

  #gather(gathering: typeof QUIET | typeof BUSY): void {
    for (const group of this.#groups) group.gather(gathering);
  }
}
