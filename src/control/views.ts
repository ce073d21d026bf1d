/**
 * The data of the daemon's answers, as the verbs print it and as `--json` gives it.
 *
 * Times are seconds since the epoch; `null` stands for "permanent" or "never".
 * @module
 */

/** One ban in force. */
export interface BanView {
  /** Address or prefix. */
  readonly target: string;
  /** When it was made. */
  readonly since: number;
  /** `null`: permanent. */
  readonly until: number | null;
  /** Seconds left; `null`: permanent. */
  readonly left: number | null;
  /** How many bans the target has had, this one included. */
  readonly offence: number;
  /** Why, in words. */
  readonly reason: string;
  /** Distinct ports that led to it. */
  readonly ports: number;
}

/** One source that was seen lately. */
export interface SourceView {
  /** The source. */
  readonly address: string;
  /** How many of its probes count at this moment. */
  readonly probes: number;
  /** How many distinct ports it asked for. */
  readonly ports: number;
  /** Scan types that were seen. */
  readonly scans: readonly string[];
  /** When it was seen last. */
  readonly last: number;
  /** Whether it is kept out at this moment. */
  readonly blocked: boolean;
}

/** One probe of a story. */
export interface EvidenceView {
  /** When it came. */
  readonly time: number;
  /** `tcp`, `udp`, `sctp` or `icmp`. */
  readonly protocol: string;
  /** The port that was asked for. */
  readonly port: number;
  /** Its scan type. */
  readonly scan: string;
}

/** What one action did. */
export interface OutcomeView {
  /** What was to be done, such as `firewall`. */
  readonly action: string;
  /** Whether it was done. */
  readonly ok: boolean;
  /** The command or line, or what went wrong. */
  readonly detail: string;
}

/** One ban, past or present, with everything that is known of it. */
export interface OffenceView {
  /** Who was banned: the address, or a prefix around it. */
  readonly target: string;
  /** When it was made. */
  readonly since: number;
  /** When it ends; `null`: permanent. */
  readonly until: number | null;
  /** When it ended, and how; `null` while it is in force. */
  readonly ended: { readonly time: number; readonly cause: string } | null;
  /** Which ban of its target it is, from 1. */
  readonly offence: number;
  /** Why, in words. */
  readonly reason: string;
  /** The probes that led to it. */
  readonly evidence: readonly EvidenceView[];
  /** What each action did. */
  readonly outcomes: readonly OutcomeView[];
  /** What each action did to take it back. */
  readonly undone: readonly OutcomeView[];
}

/** All that is known of an address. */
export interface StoryView {
  /** The address asked about. */
  readonly address: string;
  /** Whether it is kept out at this moment. */
  readonly blocked: boolean;
  /** Why it is never banned, in words; `null` when it may be. */
  readonly exempt: string | null;
  /** What its probes amount to while it is not banned, in words; `null` when there is nothing to say. */
  readonly standing: string | null;
  /** The bans, newest first. */
  readonly offences: readonly OffenceView[];
  /** Probes that count at this moment but have not led to a ban. */
  readonly pending: readonly EvidenceView[];
}

/** What the daemon is doing. */
export interface StatusView {
  /** The daemon's version. */
  readonly version: string;
  /** Its process id. */
  readonly pid: number;
  /** When it was started. */
  readonly started: number;
  /** The files of its configuration. */
  readonly config: readonly string[];
  /** The engines at work. */
  readonly engines: readonly string[];
  /** Why the kernel engine is not among them; `null` when there is nothing to say. */
  readonly engineNote: string | null;
  /** How TCP is watched. */
  readonly tcp: ProtocolView;
  /** How UDP is watched. */
  readonly udp: ProtocolView;
  /** Packets that reached a trap, were handed to us, and were lost on the way, since the configuration was read. */
  readonly packets: { readonly trapped: number; readonly reported: number; readonly lost: number };
  /** Questions that the kernel did not answer, and why not; empty where it answered all. */
  readonly unanswered: readonly { readonly failures: number; readonly last: string }[];
  /** Why packets were no evidence, since then: reason → count. */
  readonly dismissed: Readonly<Record<string, number>>;
  /** What enforces bans, and whether all of it is in place. */
  readonly firewall: { readonly name: string; readonly health: string };
  /** Bans in force and the most that may be; made, failed and refused since the start. */
  readonly bans: {
    readonly active: number;
    readonly max: number;
    readonly made: number;
    readonly failed: number;
    readonly refused: number;
  };
  /** Sources in memory and the most that may be. */
  readonly sources: { readonly tracked: number; readonly max: number };
  /** Addresses that are never banned, why, and how often that saved them. */
  readonly protected: readonly {
    readonly address: string;
    readonly reason: string;
    readonly saved: number;
  }[];
  /** How many addresses and prefixes are ignored. */
  readonly ignored: number;
  /** `kept`, or what is lost. */
  readonly state: string;
}

/** How one protocol is watched. */
export interface ProtocolView {
  /** Its mode. */
  readonly mode: string;
  /** What is done about a scanner. */
  readonly response: string;
  /** Trapped ports as text, those with a listener taken out. */
  readonly ports: string;
}

/** What `block` and `unblock` did. */
export interface ChangeView {
  /** Whom. */
  readonly target: string;
  /** Whether it is so now. */
  readonly done: boolean;
  /** When a ban that was made ends; `null`: permanent. Left out where none was made. */
  readonly until?: number | null;
  /** What each action did. */
  readonly outcomes: readonly OutcomeView[];
}

/** What a reload did. */
export interface ReloadView {
  /** The files that were read. */
  readonly config: readonly string[];
  /** Keys, as `section.key`, whose change waits for a restart. */
  readonly needsRestart: readonly string[];
}
