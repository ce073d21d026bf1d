/**
 * PortSentry's history line, which fail2ban's stock `portsentry` jail reads.
 *
 *     1795207546 - 11/20/2026 20:45:46 Host: 10.77.0.1/10.77.0.1 Port: 23 TCP Blocked
 *
 * The filter is anchored: nothing may follow `Blocked`, and a line that is not about an offence must not hold the word.
 * It knows TCP and UDP only. A line of an SCTP or ICMP probe names its protocol all the same: fail2ban passes over
 * it, which is better than a ban for a port that nobody asked for.
 * @module
 */
import type { Probe } from "../decode/probe.ts";
import { formatAddress } from "../net/address.ts";
import type { Protocol } from "../net/protocol.ts";
import { escapeName } from "./escape.ts";
import { banResult, type ScanEvent } from "./event.ts";

/** What a history line says. */
export interface HistoryEntry {
  /** Seconds since the epoch. */
  readonly time: number;
  /** Address or prefix, as text. */
  readonly address: string;
  /** The name of the address; left out: the address takes its place, as in PortSentry without RESOLVE_HOST. */
  readonly hostname?: string;
  /** The port that was asked for. */
  readonly port: number;
  /** By which protocol. */
  readonly protocol: Protocol;
}

/** The line, without a newline. Dates are local, in US order. */
export function formatHistoryLine(entry: HistoryEntry): string {
  const seconds = Math.floor(entry.time);
  const name = entry.hostname === undefined || entry.hostname === ""
    ? entry.address
    : escapeName(entry.hostname);
  return `${seconds} - ${formatLocalDate(seconds)} Host: ${name}/${entry.address} ` +
    `Port: ${entry.port} ${entry.protocol.toUpperCase()} Blocked`;
}

/** `MM/DD/YYYY HH:MM:SS` in the time zone of the process. */
function formatLocalDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(date.getMonth() + 1)}/${two(date.getDate())}/${
    String(date.getFullYear()).padStart(4, "0")
  } ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/**
 * So many lines of sources that are only observed are written at once, and so many a second on average (some 90 MB a day):
 * whoever forges sources must not fill the disk. Bans have bounds of their own, `block.max_active` and `block.rate`.
 */
export const OBSERVED_LINES = { atOnce: 10_000, aSecond: 10 } as const;

/**
 * Which events are an offence that belongs into the history, and only once.
 *
 * A ban is one, each time that it is made. With `response = "observe"` or `"command"` there is no ban that could end,
 * so the same source counts anew when a window has passed since its last line: fail2ban, which then does the banning,
 * forgets after its own time and must be told again.
 */
export class OffenceBook {
  #windowSeconds = 0;
  #maxSources = 0;
  /**
   * Source and kind → time of its last line, oldest first; those of which it does not matter any more are dropped.
   * Bounded by `maxSources`; the oldest is forgotten at the bound, at the cost of a second line for it.
   */
  readonly #told = new Map<string, number>();
  /** Lines of observed sources that may still be written, as of the time of the last one. */
  #room: number = OBSERVED_LINES.atOnce;
  #roomAt = 0;
  #leftOut = 0;

  /** An empty book. `limits`: the window (`detect.window`) and how many sources are remembered (`detect.max_sources`). */
  constructor(limits: { readonly windowSeconds: number; readonly maxSources: number }) {
    this.setLimits(limits);
  }

  /** Other limits from now on; nobody is forgotten before the next new source. */
  setLimits(limits: { readonly windowSeconds: number; readonly maxSources: number }): void {
    this.#windowSeconds = limits.windowSeconds;
    this.#maxSources = limits.maxSources;
  }

  /** The entry that this event adds to the history, if it does. */
  entryOf(event: ScanEvent): HistoryEntry | undefined {
    if (event.type !== "probe" && event.type !== "block") return undefined;
    if (event.type === "probe" && event.decision.verdict !== "observe") return undefined;
    const result = event.type === "block" ? banResult(event.outcomes) : "no-ban";
    if (result === "failed") return undefined;
    const probe = event.decision.probe;
    const isNew = this.#isNew(probe, event.time);
    if (!isNew && result !== "made") return undefined;
    if (event.type === "probe" && !this.#takeRoom(event.time)) return undefined;
    if (isNew) this.#note(probe, event.time);
    return {
      time: event.time,
      address: formatAddress(probe.source),
      port: probe.port,
      protocol: probe.protocol,
      ...(event.hostname === undefined ? {} : { hostname: event.hostname }),
    };
  }

  /** How many observed offences found no room since this was last asked. */
  takeLeftOut(): number {
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut;
  }

  #isNew(probe: Probe, time: number): boolean {
    const last = this.#told.get(keyOf(probe));
    // A clock that was set back must not silence anybody for longer than a window.
    return last === undefined || Math.abs(time - last) >= this.#windowSeconds;
  }

  #note(probe: Probe, time: number): void {
    const key = keyOf(probe);
    this.#told.delete(key);
    this.#told.set(key, time);
    for (const [oldest, last] of this.#told) {
      if (this.#told.size <= this.#maxSources && Math.abs(time - last) < this.#windowSeconds) break;
      this.#told.delete(oldest);
    }
  }

  /** One that finds none is not noted: its next probe tries again. */
  #takeRoom(time: number): boolean {
    const gained = Math.max(0, time - this.#roomAt) * OBSERVED_LINES.aSecond;
    this.#room = Math.min(OBSERVED_LINES.atOnce, this.#room + gained);
    this.#roomAt = time;
    const isRoom = this.#room >= 1;
    if (isRoom) this.#room--;
    else this.#leftOut++;
    return isRoom;
  }
}

/** A line that fail2ban passes over must not stand in the way of one that it understands. */
function keyOf({ source, protocol }: Probe): string {
  return `${formatAddress(source)} ${protocol === "tcp" || protocol === "udp"}`;
}
