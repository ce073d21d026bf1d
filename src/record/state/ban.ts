/**
 * What is kept of a ban.
 * @module
 */
import type { Probe } from "../../decode/probe.ts";
import type { Reason } from "../../detect/decision.ts";
import { hostPrefix, type Prefix } from "../../net/prefix.ts";
import type { Protocol } from "../../net/protocol.ts";
import type { Outcome } from "../../respond/backend.ts";
import { banResult, type BlockEvent, type ReleaseEvent } from "../event.ts";

/** No more probes than this are kept of what led to a ban; the latest stay. */
const MAX_EVIDENCE = 64;

/** Why there is a ban: what the judge found, or a person's word. */
export type BanReason = Reason | "manual";

/** A ban to be kept. */
export interface NewBan {
  /** Whom. */
  readonly target: Prefix;
  /** When it was made, in seconds since the epoch. */
  readonly since: number;
  /** For how many seconds; `undefined`: permanent. */
  readonly seconds: number | undefined;
  /** How many bans the target has had, this one included. */
  readonly offence: number;
  /** Why. */
  readonly reason: BanReason;
  /** What the person said who made it. */
  readonly note?: string;
  /** Distinct ports within the window. */
  readonly ports: number;
  /** Probes within the window. */
  readonly probes: number;
  /** The name of the source, where it was looked up. */
  readonly hostname?: string;
  /** The probes that led to it, the one that was too many last. Empty for a manual one. */
  readonly evidence: readonly Probe[];
  /** What each action did. */
  readonly outcomes: readonly Outcome[];
}

/** A ban in force. */
export interface ActiveBan {
  /** Whom. */
  readonly target: Prefix;
  /** When it was made, in seconds since the epoch. */
  readonly since: number;
  /** Seconds from now; `Infinity`: permanent. 0 or less: it is over, but nobody has lifted it yet. */
  readonly secondsLeft: number;
  /** How many bans the target has had, this one included. */
  readonly offence: number;
  /** Why. */
  readonly reason: BanReason;
  /** Distinct ports that led to it. */
  readonly ports: number;
  /** The port of the probe that was too many; `undefined` when no probe led to it. */
  readonly port: number | undefined;
  /** The protocol of that probe. */
  readonly protocol: Protocol | undefined;
}

/** How a ban ended, or why there was none in the first place. */
export type EndCause = ReleaseEvent["cause"] | "replaced" | "failed" | "command";

/** A ban that is over. */
export interface Release {
  /** Whose ban. */
  readonly target: Prefix;
  /** When, in seconds since the epoch. */
  readonly time: number;
  /** How. */
  readonly cause: ReleaseEvent["cause"];
  /** What each action did to undo it. */
  readonly outcomes: readonly Outcome[];
}

/** Everything that is known of one ban, past or present. */
export interface BanStory extends NewBan {
  /** When it ended and how; `undefined` while it is in force. */
  readonly ended: { readonly time: number; readonly cause: EndCause } | undefined;
  /** When it will end, or would have, in seconds since the epoch; `undefined`: never. */
  readonly until: number | undefined;
  /** What each action did to undo it. */
  readonly releaseOutcomes: readonly Outcome[];
}

/** What is kept of a block event. `evidence`: the probes of the source that counted, in any order. */
export function banOfEvent(event: BlockEvent, evidence: readonly Probe[] = []): NewBan {
  const { probe, reason, ports, probes } = event.decision;
  const earlier = evidence.filter((other) => other.port !== probe.port || other.protocol !== probe.protocol)
    .sort((a, b) => a.time - b.time);
  return {
    target: hostPrefix(probe.source),
    since: event.time,
    seconds: event.seconds,
    offence: event.offence,
    reason,
    ports,
    probes,
    ...(event.hostname === undefined ? {} : { hostname: event.hostname }),
    evidence: [...earlier, probe].slice(-MAX_EVIDENCE),
    outcomes: event.outcomes,
  };
}

/** The event that a kept ban was made from, so that it can be told later; `undefined` for one that no probe led to. */
export function eventOfBan(ban: NewBan): BlockEvent | undefined {
  const probe = ban.evidence.at(-1);
  if (probe === undefined || ban.reason === "manual") return undefined;
  return {
    type: "block",
    time: ban.since,
    decision: { verdict: "block", reason: ban.reason, probe, ports: ban.ports, probes: ban.probes },
    seconds: ban.seconds,
    offence: ban.offence,
    outcomes: ban.outcomes,
    ...(ban.hostname === undefined ? {} : { hostname: ban.hostname }),
  };
}

/** Why a ban is over the moment that it is kept: it failed, or it was only a command; `undefined`: it is in force. */
export function immediateEnd(ban: NewBan): EndCause | undefined {
  const result = banResult(ban.outcomes);
  if (result === "failed") return "failed";
  return result === "no-ban" && ban.reason !== "manual" ? "command" : undefined;
}
