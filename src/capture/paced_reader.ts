/**
 * When an engine reads: at once while packets are few, by the clock while they are many.
 * @module
 */
import { setImmediate } from "node:timers";
import { Poller } from "../ffi/poller.ts";
import { TokenBucket } from "../system/token_bucket.ts";

/** Packets taken before everybody else gets a turn. */
const BATCH_PACKETS = 4096;
/** A wake costs what fifty packets cost. So many a second may be had for each packet at once. */
const WAKES = { burst: 32, perSecond: 100 } as const;

/** What a {@link PacedReader} needs. */
export interface PacedReaderOptions {
  /** The descriptors that become readable when packets wait. */
  readonly fds: readonly number[];
  /** Called once the kernel has let go of the descriptors. */
  readonly close: () => void;
  /** Takes waiting packets, at most so many. @returns How many there were. */
  readonly take: (max: number) => number;
  /** Called after each turn that brought something. */
  readonly flush: () => void;
  /** How often is read while packets are many, in milliseconds. */
  readonly intervalMs: number;
  /** How many such intervals must bring nothing until packets count as few again. */
  readonly quietIntervals: number;
  /** Told when packets become many, and when they are few again. */
  readonly onBusy?: (busy: boolean) => void;
}

/** Reads until it is stopped. */
export class PacedReader implements Disposable {
  readonly #options: PacedReaderOptions;
  readonly #wakes = new TokenBucket(WAKES);
  readonly #poller: Poller;
  readonly #running: Promise<void>;
  #stopped = false;

  /** Reads from now on. */
  constructor(options: PacedReaderOptions) {
    this.#options = options;
    this.#poller = new Poller(options.fds);
    this.#running = this.#run();
  }

  /** Read nothing more from this moment on. Resolves when everything is closed. */
  async stop(): Promise<void> {
    this[Symbol.dispose]();
    await this.#running;
  }

  /** Same as {@link PacedReader.stop}, without waiting for it. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#poller[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    try {
      while (await this.#poller.wait()) {
        // The first alone, and acted upon: what a new scanner sent besides must not delay the answer to its first packet.
        await this.#drain(1);
        if (!this.#wakes.take(performance.now())) await this.#drainByClock();
      }
    } finally {
      await this.#poller.stop();
      this.#options.close();
    }
  }

  /** Read until nothing is waiting, at most `first` packets to begin with. @returns How many packets there were. */
  async #drain(first = BATCH_PACKETS): Promise<number> {
    const { take, flush } = this.#options;
    let total = 0;
    for (let most = first; !this.#stopped; most = BATCH_PACKETS) {
      const taken = take(most);
      if (taken > 0) flush();
      total += taken;
      if (taken < most) break;
      // Timers and signals get their turn here; a timer of 0 would cost two milliseconds.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return total;
  }

  /** Read at fixed intervals until they bring nothing. */
  async #drainByClock(): Promise<void> {
    const { intervalMs, quietIntervals, onBusy } = this.#options;
    onBusy?.(true);
    for (let quiet = 0; quiet < quietIntervals && !this.#stopped;) {
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
      quiet = await this.#drain() === 0 ? quiet + 1 : 0;
    }
    if (!this.#stopped) onBusy?.(false);
  }
}
