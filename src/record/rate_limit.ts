/**
 * How many log lines a scanner gets: the first few of each interval, then one summary line.
 *
 * Invariants: a source has an entry only if a line was written for it in its interval, so there are never more entries
 * than lines in an interval; entries stand in the order of their start.
 * @module
 */
import { quantity } from "../quantity.ts";

/** How many lines all sources together get, as a multiple of what one gets: a flood with forged sources is one flood. */
const SOURCES_AT_ONCE = 100;
/** Distinct ports counted for one summary; more are told as "at least". */
const MAX_PORTS = 1024;

/** What was left out of the log. */
export interface Suppressed {
  /** Whose probes; `undefined`: of all the sources that got no line of their own. */
  readonly source: string | undefined;
  /** How many. */
  readonly probes: number;
  /** On how many ports and message types; 1,024 stands for that or more. */
  readonly ports: number;
  /** The length of the interval in seconds. */
  readonly seconds: number;
}

interface Entry {
  readonly source: string | undefined;
  readonly start: number;
  lines: number;
  probes: number;
  readonly ports: Set<number>;
}

/** Counts lines by source. The clock is the caller's. */
export class LineLimiter {
  readonly #burst: number;
  readonly #intervalMs: number;
  readonly #entries = new Map<string, Entry>();
  /** The interval of everybody together. */
  #overall: Entry | undefined;

  /** `burst` lines of one source in an interval (`log.burst`, `log.interval`). */
  constructor(limits: { readonly burst: number; readonly intervalSeconds: number }) {
    this.#burst = limits.burst;
    this.#intervalMs = limits.intervalSeconds * 1000;
  }

  /** Sources that are counted at this moment. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether this probe's lines may be written; if not, it is counted for the summary. */
  allow(
    probe: { readonly source: string; readonly port: number; readonly lines: number },
    nowMs: number,
  ): boolean {
    this.#overall ??= emptyEntry(undefined, nowMs);
    const entry = this.#entries.get(probe.source);
    const isRoom = this.#overall.lines < this.#burst * SOURCES_AT_ONCE;
    if (isRoom && (entry === undefined || entry.lines < this.#burst)) {
      const current = entry ?? emptyEntry(probe.source, nowMs);
      if (entry === undefined) this.#entries.set(probe.source, current);
      current.lines += probe.lines;
      this.#overall.lines += probe.lines;
      return true;
    }
    count(entry ?? this.#overall, probe.port);
    return false;
  }

  /** Whether a source has lines left in its interval. */
  hasRoom(source: string): boolean {
    return (this.#entries.get(source)?.lines ?? 0) < this.#burst;
  }

  /** The summaries of the intervals that are over. To be called about once a second. */
  takeDue(nowMs: number): readonly Suppressed[] {
    const due: Entry[] = [];
    for (const [source, entry] of this.#entries) {
      if (!this.#isOver(entry, nowMs)) break;
      this.#entries.delete(source);
      due.push(entry);
    }
    if (this.#overall !== undefined && this.#isOver(this.#overall, nowMs)) {
      due.push(this.#overall);
      this.#overall = undefined;
    }
    return due.filter((entry) => entry.probes > 0).map((entry) => this.#summary(entry));
  }

  /** The summaries of everything so far, for when the daemon stops or its limits change. */
  takeAll(): readonly Suppressed[] {
    return this.takeDue(Infinity);
  }

  #isOver(entry: Entry, nowMs: number): boolean {
    return nowMs >= entry.start + this.#intervalMs;
  }

  #summary(entry: Entry): Suppressed {
    return {
      source: entry.source,
      probes: entry.probes,
      ports: entry.ports.size,
      seconds: this.#intervalMs / 1000,
    };
  }
}

/** The summary in words. */
export function suppressedText(suppressed: Suppressed): string {
  const from = suppressed.source ?? "other sources";
  const atLeast = suppressed.ports >= MAX_PORTS ? "at least " : "";
  return `attackalert: ${quantity(suppressed.probes, "more probe")} from ${from} on ` +
    `${atLeast}${quantity(suppressed.ports, "port")} in the last ${suppressed.seconds} s`;
}

/** The summary of bans that failed, in words. */
export function failuresText(suppressed: Suppressed): string {
  const whom = suppressed.source ?? "other sources";
  return `adminalert: ERROR: ${quantity(suppressed.probes, "more attempt")} to block ${whom} ` +
    `failed in the last ${suppressed.seconds} s`;
}

function emptyEntry(source: string | undefined, start: number): Entry {
  return { source, start, lines: 0, probes: 0, ports: new Set() };
}

function count(entry: Entry, port: number): void {
  entry.probes++;
  if (entry.ports.size < MAX_PORTS) entry.ports.add(port);
}
