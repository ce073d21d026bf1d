/**
 * What is written down: one value for each thing that happened, from which every log form is made.
 * @module
 */
import type { Decision } from "../detect/decision.ts";
import type { Outcome } from "../respond/backend.ts";

/** A probe was judged. */
export interface ProbeEvent {
  /** The tag. */
  readonly type: "probe";
  /** Seconds since the epoch. */
  readonly time: number;
  /** The verdict, with the probe. */
  readonly decision: Decision;
  /** The source's name, escaped, where `detect.resolve_host` asked for it. */
  readonly hostname?: string;
}

/** A ban was attempted. */
export interface BlockEvent {
  /** The tag. */
  readonly type: "block";
  /** Seconds since the epoch. */
  readonly time: number;
  /** The decision that led to it, with the last probe. */
  readonly decision: Decision;
  /** Seconds the ban lasts; `undefined`: permanent. */
  readonly seconds: number | undefined;
  /** How many bans this source has had, this one included. */
  readonly offence: number;
  /** What each action did, in the order in which they ran; see {@link banResult}. */
  readonly outcomes: readonly Outcome[];
  /** As in {@link ProbeEvent}. */
  readonly hostname?: string;
}

/** A ban ended. */
export interface ReleaseEvent {
  /** The tag. */
  readonly type: "release";
  /** Seconds since the epoch. */
  readonly time: number;
  /** Address or prefix as text. */
  readonly target: string;
  /** Whether its time was over or somebody lifted it. */
  readonly cause: "expired" | "unblocked";
  /** What each action did to undo the ban. */
  readonly outcomes: readonly Outcome[];
}

/** Many bans ended at once: those that are not told one by one. */
export interface ReleasesEvent {
  /** The tag. */
  readonly type: "releases";
  /** Seconds since the epoch. */
  readonly time: number;
  /** As in {@link ReleaseEvent}. */
  readonly cause: ReleaseEvent["cause"];
  /** How many were taken back. */
  readonly released: number;
  /** How many could not be, and are tried again. */
  readonly failed: number;
}

/** How loud a notice is: the names of syslog(3). */
export type Level = "debug" | "info" | "notice" | "warning" | "err";

/** Something about the daemon itself. */
export interface NoticeEvent {
  /** The tag. */
  readonly type: "notice";
  /** Seconds since the epoch. */
  readonly time: number;
  /** How loud. */
  readonly level: Level;
  /** One line for people. */
  readonly message: string;
}

/** Anything that is written down. */
export type ScanEvent = ProbeEvent | BlockEvent | ReleaseEvent | ReleasesEvent | NoticeEvent;

/** What came of a ban: in force, attempted in vain, or never meant to be (only a command was to run). */
export type BanResult = "made" | "failed" | "no-ban";

const FIREWALLS: ReadonlySet<string> = new Set(["nftables", "iptables", "route", "none"]);
const OTHER_WALLS: ReadonlySet<string> = new Set(["kill_route", "kill_hosts_deny"]);

/**
 * What the outcomes of a block amount to.
 *
 * The firewall's own answer decides. Where there is none (`firewall = "none"`), one of PortSentry's actions must have
 * worked: its defect was to report a command that failed as a block.
 */
export function banResult(outcomes: readonly Outcome[]): BanResult {
  const firewall = outcomes.find((outcome) => FIREWALLS.has(outcome.action) && outcome.action !== "none");
  if (firewall !== undefined) return firewall.ok ? "made" : "failed";
  const others = outcomes.filter((outcome) => OTHER_WALLS.has(outcome.action));
  if (others.length > 0) return others.some((outcome) => outcome.ok) ? "made" : "failed";
  return outcomes.some((outcome) => outcome.action === "none" && outcome.ok) ? "made" : "no-ban";
}
