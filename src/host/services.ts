/**
 * Keeps {@link Grace} fed with the listeners of this host, and tells what that changed.
 * @module
 */
import type { Grace, GraceChange } from "../detect/grace.ts";
import { SyscallError } from "../errors.ts";
import type { Listener } from "../net/listener.ts";
import { Unanswered } from "./unanswered.ts";

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

/** Looks at the listeners each second. */
export class ServiceWatch implements Disposable {
  /** Looks that the kernel did not answer. */
  readonly unanswered: Unanswered = new Unanswered(
    "which ports have a listener",
    "the grace of ports goes by the last answer",
  );
  readonly #options: ServiceWatchOptions;
  #timer: Disposable | undefined;

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
      this.unanswered.add(error);
      return;
    }
    const change = grace.update(listeners, now());
    if (change.put.length + change.drop.length > 0) onChange(change);
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
