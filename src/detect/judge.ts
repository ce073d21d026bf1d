/**
 * Stage "judge", second half: a probe that says something becomes a {@link Decision}.
 *
 * Pure but for its own memory: the clock is the probe's, and what only the host knows is asked of {@link JudgeFacts}.
 * @module
 */
import type { Config, Response } from "../config/schema.ts";
import type { Probe } from "../decode/probe.ts";
import type { Address } from "../net/address.ts";
import type { Protocol } from "../net/protocol.ts";
import type { Decision, ProtectedReason, Reason, Verdict } from "./decision.ts";
import type { HashKey } from "./keyed_hash.ts";
import {
  type PortEvidence,
  SETTLING_SECONDS,
  type SourceSummary,
  SourceTable,
  type Tally,
  wholeSeconds,
} from "./source_table.ts";

/** Stray late packets of one connection go to one port; those of a busy client rarely to more than two. */
const ACK_TYPE_PORTS = 3;

/** What only the host knows about an address. */
export interface JudgeFacts {
  /** Whether it is on the ignore list. */
  isIgnored(address: Address): boolean;
  /** Why it is never banned, or `undefined`. */
  protectedReason(address: Address): ProtectedReason | undefined;
  /** Whether this very address is banned at this moment. */
  isBlocked(address: Address): boolean;
}

/** Decides about sources, one probe at a time. */
export class Judge {
  readonly #config: Config;
  readonly #facts: JudgeFacts;
  readonly #table: SourceTable;
  readonly #trigger: number;

  /** Has seen nothing yet. `key`: for tests, see {@link SourceTable}. */
  constructor(options: { readonly config: Config; readonly facts: JudgeFacts; readonly key?: HashKey }) {
    const { detect } = options.config;
    this.#config = options.config;
    this.#facts = options.facts;
    this.#trigger = Math.max(1, detect.scan_trigger);
    this.#table = new SourceTable({
      maxSources: detect.max_sources,
      trigger: Math.max(this.#trigger, ACK_TYPE_PORTS),
      windowSeconds: detect.window,
      ...(options.key === undefined ? {} : { key: options.key }),
    });
  }

  /** Decide. Ignored and blocked sources leave no trace in memory, so that they are judged afresh one day. */
  judge(probe: Probe): Decision {
    if (this.#facts.isIgnored(probe.source)) return alone(probe, "ignored", "ignore-list");
    const protection = this.#facts.protectedReason(probe.source);
    if (protection !== undefined) {
      return { verdict: "protected", reason: protection, probe, ...counts(this.#table.record(probe)) };
    }
    if (this.#facts.isBlocked(probe.source) || this.#isSettling(probe)) {
      return alone(probe, "already-blocked", "already-blocked");
    }
    const tally = this.#table.record(probe);
    const cause = this.#cause(tally);
    if (cause === undefined) {
      const reason = tally.again ? "repeated-port" : "below-trigger";
      return { verdict: "below-trigger", reason, probe, ...counts(tally) };
    }
    if (responseTo(this.#config, probe.protocol) === "observe") {
      return { verdict: "observe", reason: "observe-only", probe, ...counts(tally) };
    }
    this.#table.settle(probe.source, probe.time);
    return { verdict: "block", reason: cause, probe, ...counts(tally) };
  }

  /** The ports that a source asked for within the window, also just after it was blocked for them. */
  evidence(source: Address, time: number): readonly PortEvidence[] {
    return this.#table.evidence(source, time);
  }

  /** How many sources did something within the window. */
  tracked(time: number): number {
    return this.#table.count(time);
  }

  /** Every source that did something within the window. */
  sources(time: number): Iterable<SourceSummary> {
    return this.#table.sources(time);
  }

  /** A ban ended or was lifted: whatever the source does next is judged afresh, at once. */
  forget(source: Address): void {
    this.#table.forget(source);
  }

  /**
   * The ban that follows a block takes a moment; until then more probes of the source change nothing. Should it fail, or
   * be over, this is silent again soon, and a source that goes on earns the next one: nobody is "already blocked" for
   * ever.
   */
  #isSettling(probe: Probe): boolean {
    const settledAt = this.#table.settledAt(probe.source);
    return settledAt !== 0 && Math.abs(wholeSeconds(probe.time) - settledAt) <= SETTLING_SECONDS;
  }

  /** Why this is a scanner, or `undefined` while it is below the trigger. */
  #cause(tally: Tally): Reason | undefined {
    if (!tally.clear && tally.ports < Math.max(ACK_TYPE_PORTS, this.#trigger)) return undefined;
    if (this.#trigger === 1) return tally.clear ? "first-probe" : "distinct-ports";
    if (this.#config.detect.count === "probes") {
      return tally.probes >= this.#trigger ? "probe-count" : undefined;
    }
    return tally.ports >= this.#trigger ? "distinct-ports" : undefined;
  }
}

/** What the configuration wants done about a scanner of this protocol. SCTP and ICMP follow TCP. */
export function responseTo(config: Config, protocol: Protocol): Response {
  return protocol === "udp" ? config.udp.response : config.tcp.response;
}

function alone(probe: Probe, verdict: Verdict, reason: Reason): Decision {
  return { verdict, reason, probe, ports: 1, probes: 1 };
}

function counts(tally: Tally): { readonly ports: number; readonly probes: number } {
  return { ports: tally.ports, probes: tally.probes };
}
