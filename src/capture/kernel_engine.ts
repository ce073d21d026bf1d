/**
 * The kernel engine: packets that fell into the trap of our nftables ruleset, as NFLOG reports them.
 *
 * By then the kernel has asked whether a socket owns the port, whether the packet is for this host at all, and whether
 * its source is to be held; nothing of a real service's traffic comes here.
 * @module
 */
import { setImmediate } from "node:timers";
import { Poller } from "../ffi/poller.ts";
import type { Engine, EngineStats, FrameSink } from "./frame.ts";
import { LogGroup } from "./log_group.ts";
import { NFLOG_GROUP } from "./nflog.ts";
import { WakeBudget } from "./wake_budget.ts";

/** Packets taken before everybody else gets a turn. */
const BATCH_PACKETS = 4096;
/** Under flood the groups are read by the clock, as often as the kernel sends what it has gathered. */
const FLOOD_INTERVAL_MS = 10;
/** As the raw engine has it. */
const WAKES = { burst: 32, perSecond: 200 } as const;
/** Each packet at once: a ban is as late as its report. */
const QUIET = { threshold: 1, timeoutCs: 0 } as const;
/** Many packets a datagram, and none older than ten milliseconds, the least that the kernel can count. */
const BUSY = { threshold: 32, timeoutCs: 1 } as const;

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
  readonly #wakes = new WakeBudget(WAKES);
  #groups: readonly LogGroup[] = [];
  #poller: Poller | undefined;
  #running: Promise<void> | undefined;
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
    using opened = new DisposableStack();
    // Sources in quarantine come first in a turn: they are one probe away from their ban.
    const numbers = this.#options.groups ?? [NFLOG_GROUP.held, NFLOG_GROUP.first];
    this.#groups = numbers.map((number) => opened.use(new LogGroup(number, QUIET)));
    this.#trappedBefore = this.#options.trapped?.() ?? 0;
    this.#poller = new Poller(this.#groups.map((group) => group.fd));
    this.#running = this.#run(this.#poller, opened.move());
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
    await this.#poller?.stop();
    await this.#running;
  }

  /** Deliver nothing more from this moment on; descriptors are closed as soon as the kernel lets go of them. */
  [Symbol.dispose](): void {
    if (this.#final !== undefined) return;
    this.#final = this.stats();
    this.#poller?.[Symbol.dispose]();
  }

  async #run(poller: Poller, opened: DisposableStack): Promise<void> {
    try {
      while (await poller.wait()) {
        await this.#drain();
        if (!this.#wakes.take(performance.now())) await this.#drainByClock();
      }
    } finally {
      await poller.stop();
      opened[Symbol.dispose]();
    }
  }

  /** Read until nothing is waiting. @returns How many packets there were. */
  async #drain(): Promise<number> {
    let total = 0;
    while (this.#final === undefined) {
      const taken = this.#takeBatch();
      if (taken > 0) this.#options.sink.flush();
      total += taken;
      if (taken < BATCH_PACKETS) break;
      // Timers and signals get their turn here; a timer of 0 would cost two milliseconds.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return total;
  }

  #takeBatch(): number {
    const now = this.#options.now?.() ?? Date.now() / 1000;
    let taken = 0;
    for (const group of this.#groups) {
      taken += group.drain(BATCH_PACKETS - taken, now, (frame) => {
        if (this.#final !== undefined) return;
        this.#reported++;
        this.#options.sink.frame(frame);
      });
    }
    return taken;
  }

  /** Read at fixed intervals until nothing has come for as long as the kernel may gather. */
  async #drainByClock(): Promise<void> {
    this.#gather(BUSY);
    const quietIntervals = Math.ceil(BUSY.timeoutCs * 10 / FLOOD_INTERVAL_MS) + 1;
    for (let quiet = 0; quiet < quietIntervals && this.#final === undefined;) {
      await new Promise((resolve) => setTimeout(resolve, FLOOD_INTERVAL_MS));
      quiet = await this.#drain() === 0 ? quiet + 1 : 0;
    }
    if (this.#final === undefined) this.#gather(QUIET);
  }

  #gather(gathering: typeof QUIET | typeof BUSY): void {
    for (const group of this.#groups) group.gather(gathering);
  }
}
