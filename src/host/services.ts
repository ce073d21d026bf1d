/**
 * Keeps {@link Grace} fed with the listeners of this host, and tells what that changed.
 * @module
 */
import type { Grace, GraceChange } from "../detect/grace.ts";
import { messageOf, SyscallError } from "../errors.ts";
import type { Listener } from "../net/listener.ts";

/** The kernel has no event for "somebody listens now"; a look costs some 70 µs. */
const PERIOD_MS = 1000;

/** Options of {@link ServiceWatch}. */
export interface ServiceWatchOptions {
  /** See {@link SocketTable}. */
  readonly sockets: { readonly listeners: () => readonly Listener[] };
  /** What is fed. */
  readonly grace: Grace;
  /** Seconds since any fixed moment; must not jump. */
  readonly now: () => number;
  /** Called after each look that changed something. */
  readonly onChange: (change: GraceChange) => void;
  /** Calls `tick` every so many milliseconds until the result is disposed (default: a timer that lets the process end). */
  readonly every?: (ms: number, tick: () => void) => Disposable;
}

/** Counters of a {@link ServiceWatch}. All grow only. */
export interface ServiceWatchStats {
  /** Looks that the kernel did not answer; what was known stands. */
  readonly failures: number;
  /** Why the last of them failed; empty when none did. */
  readonly lastFailure: string;
}

/** Looks at the listeners each second. */
export class ServiceWatch implements Disposable {
  readonly #options: ServiceWatchOptions;
  #timer: Disposable | undefined;
  #failures = 0;
  #lastFailure = "";

  /** Nothing happens before {@link start} or {@link look}. */
  constructor(options: ServiceWatchOptions) {
    this.#options = options;
  }

  /** Look now, and each second from now on. */
  start(): void {
    this.look();
    this.#timer ??= (this.#options.every ?? everyMs)(PERIOD_MS, () => this.look());
  }

  /** Look now. */
  look(): void {
    const { sockets, grace, now, onChange } = this.#options;
    let listeners: readonly Listener[];
    try {
      listeners = sockets.listeners();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#failures++;
      this.#lastFailure = messageOf(error);
      return;
    }
    const change = grace.update(listeners, now());
    if (change.put.length + change.drop.length > 0) onChange(change);
  }

  /** The counters so far. */
  stats(): ServiceWatchStats {
    return { failures: this.#failures, lastFailure: this.#lastFailure };
  }

  /** Look no more. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}

function everyMs(ms: number, tick: () => void): Disposable {
  const timer = setInterval(tick, ms);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
