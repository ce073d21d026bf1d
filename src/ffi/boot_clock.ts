/**
 * The kernel's clocks that do not follow the wall clock.
 * @module
 */
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** linux/time.h */
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;

/** struct timespec (bits/types/struct_timespec.h): __time_t tv_sec; long tv_nsec. */
const timespec = new Uint8Array(16);
const view = new DataView(timespec.buffer);

/** Seconds since boot, the time spent asleep included. */
export function bootSeconds(): number {
  read(CLOCK_BOOTTIME);
  return Number(view.getBigInt64(0, true)) + Number(view.getBigInt64(8, true)) / 1e9;
}

/** CLOCK_MONOTONIC in whole microseconds, as systemd measures it. */
export function monotonicMicroseconds(): bigint {
  read(CLOCK_MONOTONIC);
  return view.getBigInt64(0, true) * 1_000_000n + view.getBigInt64(8, true) / 1000n;
}

function read(clock: number): void {
  checked(libc.clock_gettime(clock, timespec), "clock_gettime");
}
