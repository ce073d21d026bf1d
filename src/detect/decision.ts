/**
 * What becomes of a probe, and why.
 * @module
 */
import type { NotProbeReason } from "../decode/classify.ts";
import type { Probe } from "../decode/probe.ts";

/** Why an address is never banned. */
export type ProtectedReason = "own-address" | "gateway" | "resolver" | "session";

/** Every reason that a decision can carry; the text for people is made from it in one place. */
export type Reason =
  | "ignore-list"
  | ProtectedReason
  | "already-blocked"
  | "below-trigger"
  | "repeated-port"
  | "observe-only"
  | "distinct-ports"
  | "probe-count"
  | "first-probe";

/** The verdicts, in the order in which they are considered: the first that fits wins. */
export type Verdict = "ignored" | "protected" | "already-blocked" | "below-trigger" | "observe" | "block";

/** What is decided about one probe. */
export interface Decision {
  /** What becomes of the source. */
  readonly verdict: Verdict;
  /** Why. */
  readonly reason: Reason;
  /** The probe that was judged. */
  readonly probe: Probe;
  /** Distinct ports of this source within the window, this one included; see {@link SourceTable} for its bound. */
  readonly ports: number;
  /** Probes of this source within the window, this one included, with the same bound. */
  readonly probes: number;
}

/** Why a probe says nothing about its source, in the order in which it is asked. */
export const IRRELEVANT_REASONS = [
  /** To a broadcast or multicast address: nothing was aimed at this host (PortSentry banned neighbours for that). */
  "broadcast",
  /** From an address that nobody can have: unspecified, multicast, broadcast. */
  "bogus-source",
  /** From an address of this host, or loopback. */
  "own-source",
  /** To an address that is not one of ours. */
  "not-for-us",
  /** To a port that the configuration does not trap. */
  "untrapped",
  /** The answer to a datagram of ours, or the late rest of a connection of ours. */
  "reply",
  /** To a port that had a listener a moment ago. */
  "grace",
  /** To a port that a local socket owns, or that is translated to somewhere else. */
  "served",
] as const;

/** Why a probe says nothing about its source. */
export type IrrelevantReason = (typeof IRRELEVANT_REASONS)[number];

/** Why a packet is not judged. `outgoing`: this host sent it. */
export type NotEvidenceReason = NotProbeReason | IrrelevantReason | "outgoing";

/** A packet that is not judged. */
export interface NotEvidence {
  /** The tag that tells this from a {@link Decision}. */
  readonly verdict: "not-evidence";
  /** Why. */
  readonly reason: NotEvidenceReason;
  /** What was asked, where it was a probe at all. */
  readonly probe: Probe | undefined;
}
