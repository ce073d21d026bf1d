/**
 * The clocks of this host, as values that a test can replace.
 * @module
 */
import { bootSeconds } from "../ffi/boot_clock.ts";

/** What most code needs to know of time. */
export interface Clock {
  /** Seconds since the epoch. Jumps when the clock is set. */
  now(): number;
  /** Milliseconds since some moment. Never jumps; stands still while the machine sleeps. */
  monotonicMs(): number;
}

/** What is needed to measure a time across a set clock, a sleep and a reboot. */
export interface BootClock extends Clock {
  /** Seconds since the machine was booted (CLOCK_BOOTTIME): never jumps, goes on while the machine sleeps. */
  bootSeconds(): number;
  /** Which boot this is; another value after each reboot. */
  readonly bootId: string;
}

/** The real clocks. */
export const systemClock: BootClock = {
  now: () => Date.now() / 1000,
  monotonicMs: () => performance.now(),
  bootSeconds: () => bootSeconds(),
  bootId: readBootId(),
};

/** The kernel makes the identifier anew at each boot (random(4)). */
function readBootId(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    // Without /proc no two runs can be told to be of one boot: the wall clock then decides.
    return crypto.randomUUID();
  }
}
