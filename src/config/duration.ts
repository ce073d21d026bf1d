/**
 * Durations as people write them: `90s`, `10m`, `1d`, `2w`, `permanent`.
 * @module
 */

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** What a duration looks like, for error messages. */
export const DURATION_FORM = 'a number and a unit (s, m, h, d, w), such as "10m"';

/** No duration is longer than this, except `permanent`: ten years, well inside the kernel's 64-bit milliseconds. */
export const MAX_DURATION_SECONDS = 315_360_000;

/** Seconds of a duration, `Infinity` for `permanent`, or `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === "permanent") return Infinity;
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  if (match === null) return undefined;
  const seconds = Number(match[1]) * (UNIT_SECONDS[match[2] ?? ""] ?? NaN);
  return seconds <= MAX_DURATION_SECONDS ? seconds : undefined;
}

/** The shortest exact spelling of a duration: `1d` rather than `24h`, in at most two units. */
export function formatDuration(seconds: number): string {
  if (seconds === Infinity) return "permanent";
  let rest = Math.max(0, Math.round(seconds));
  if (rest === 0) return "0s";
  const parts: string[] = [];
  for (const unit of ["w", "d", "h", "m", "s"]) {
    const size = UNIT_SECONDS[unit] ?? 1;
    if (rest >= size && parts.length < 2) {
      parts.push(`${Math.floor(rest / size)}${unit}`);
      rest %= size;
    }
  }
  return parts.join("");
}
