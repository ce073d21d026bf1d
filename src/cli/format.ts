/**
 * Times and durations as the verbs print them.
 * @module
 */
import { formatDuration } from "../config/duration.ts";

/** A moment as local time, `2026-11-21 08:15:02`; `-` for none. */
export function formatTime(seconds: number | null): string {
  if (seconds === null) return "-";
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A moment to the minute, for tables: `2026-11-21 08:15`. */
export function formatMinute(seconds: number | null): string {
  return formatTime(seconds).slice(0, 16);
}

/** What is left of a ban: `3h12m`, or `permanent`. */
export function formatLeft(seconds: number | null): string {
  return seconds === null ? "permanent" : formatDuration(seconds);
}
