/**
 * What a replay tells of each source.
 *
 * Bounds: `maxSources` sources; further ones are counted, not told, unless they are banned, which drops one that is
 * not. A million ports over all sources; beyond that a source's `ports` says only how many it had until then.
 * @module
 */
import type { Probe, ScanType } from "../../decode/probe.ts";
import { formatAddress, hostKey } from "../../net/address.ts";
import type { Protocol } from "../../net/protocol.ts";

const MAX_PORTS_IN_ALL = 1_000_000;
const PROTOCOL_BITS: Readonly<Record<Protocol, number>> = {
  tcp: 0,
  udp: 1 << 16,
  sctp: 2 << 16,
  icmp: 3 << 16,
};

/** What became of a source, the gravest of all its probes; from harmless to grave. */
export const FATES = ["observe", "ignored", "protected", "block"] as const;

/** One of {@link FATES}. */
export type Fate = (typeof FATES)[number];

/** What a source did. */
export interface SourceReport {
  /** As text. */
  readonly address: string;
  /** Probes by scan type. */
  readonly scans: Partial<Record<ScanType, number>>;
  /** Distinct ports. */
  readonly ports: ReadonlySet<number>;
  /** Seconds since the epoch, the earliest probe. */
  readonly first: number;
  /** The latest. */
  readonly last: number;
  /** What became of it. */
  readonly fate: Fate;
  /** How often it was banned. */
  readonly bans: number;
}

interface Draft extends SourceReport {
  readonly ports: Set<number>;
  first: number;
  last: number;
  fate: Fate;
  bans: number;
}

/** The reports of all sources. */
export class SourceReports {
  /** By {@link hostKey}. */
  readonly #drafts = new Map<number | string, Draft>();
  readonly #maxSources: number;
  #ports = 0;
  #omitted = 0;

  /** No source yet, and room for `maxSources`. */
  constructor(maxSources: number) {
    this.#maxSources = maxSources;
  }

  /** Probes of sources that found no room. */
  get omittedProbes(): number {
    return this.#omitted;
  }

  /** Count a probe. @returns How many bans its source had before, or `undefined` when there is no room for it. */
  count(probe: Probe, fate: Fate): number | undefined {
    const draft = this.#draft(probe, fate);
    if (draft === undefined) {
      this.#omitted++;
      return undefined;
    }
    draft.scans[probe.scan] = (draft.scans[probe.scan] ?? 0) + 1;
    draft.first = Math.min(draft.first, probe.time);
    draft.last = Math.max(draft.last, probe.time);
    if (FATES.indexOf(fate) > FATES.indexOf(draft.fate)) draft.fate = fate;
    const port = PROTOCOL_BITS[probe.protocol] | probe.port;
    if (this.#ports < MAX_PORTS_IN_ALL && !draft.ports.has(port)) {
      draft.ports.add(port);
      this.#ports++;
    }
    return fate === "block" ? draft.bans++ : draft.bans;
  }

  /** The reports, in the order in which the sources were first seen. */
  all(): readonly SourceReport[] {
    return [...this.#drafts.values()];
  }

  #draft(probe: Probe, fate: Fate): Draft | undefined {
    const key = hostKey(probe.source);
    const known = this.#drafts.get(key);
    if (known !== undefined) return known;
    if (this.#drafts.size >= this.#maxSources && !(fate === "block" && this.#dropOne())) return undefined;
    const { time } = probe;
    const address = formatAddress(probe.source);
    const draft = { address, scans: {}, ports: new Set<number>(), first: time, last: time, fate, bans: 0 };
    this.#drafts.set(key, draft);
    return draft;
  }

  /** Make room by leaving out a source that was not banned. */
  #dropOne(): boolean {
    for (const [key, draft] of this.#drafts) {
      if (draft.fate === "block") continue;
      this.#drafts.delete(key);
      this.#ports -= draft.ports.size;
      this.#omitted += probesOf(draft);
      return true;
    }
    return false;
  }
}

/** How many probes a source made. */
export function probesOf(report: SourceReport): number {
  return Object.values(report.scans).reduce((sum, count) => sum + count, 0);
}
