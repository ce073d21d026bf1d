/**
 * The commands that portsnare understands, as values.
 * @module
 */
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { ListedPorts } from "./replay/listed_ports.ts";

/** PortSentry's names of its six modes, which also are its command line options. */
export const PORTSENTRY_MODES = ["tcp", "udp", "stcp", "sudp", "atcp", "audp"] as const;

/** One of {@link PORTSENTRY_MODES}. */
export type PortsentryMode = "tcp" | "udp" | "stcp" | "sudp" | "atcp" | "audp";

/** What every verb has that reads the configuration. */
export interface WithConfig {
  /** `-c`. Default: see `configPath`. */
  readonly config?: string | undefined;
}

/** What every verb has that prints data. */
export interface WithOutput extends WithConfig {
  /** Whether to print JSON. */
  readonly json: boolean;
}

/** The daemon. */
export interface RunCommand extends WithConfig {
  /** Which verb this is. */
  readonly verb: "run";
  /** Modes in place of the configured ones; none: as configured. */
  readonly modes: readonly PortsentryMode[];
  /** Detect and log only. */
  readonly dryRun: boolean;
  /** Take everything of ours out of the host instead. */
  readonly teardown: boolean;
}

/** Is the configuration right. */
export interface CheckCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "check";
}

/** A PortSentry configuration to TOML. */
export interface ConvertCommand {
  /** Which verb this is. */
  readonly verb: "convert";
  /** The portsentry.conf. */
  readonly file: string;
  /** Where the modes are set. Default: the usual file beside it. */
  readonly defaults?: string | undefined;
  /** Ignore files to take over. */
  readonly ignore: readonly string[];
  /** Where to write. Default: standard output. */
  readonly output?: string | undefined;
}

/** What is asked of the daemon without an argument. */
export interface AskCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "status" | "list" | "top" | "reload";
}

/** The story of an address. */
export interface WhyCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "why";
  /** Whose. */
  readonly address: Address;
}

/** Ban by hand. */
export interface BlockCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "block";
  /** Whom. */
  readonly target: Prefix;
  /** How long; `Infinity`: permanently. Default: as configured. */
  readonly seconds?: number | undefined;
  /** Why, for `why`. */
  readonly reason?: string | undefined;
  /** Whether even a protected address is banned. */
  readonly force: boolean;
}

/** Lift bans. */
export interface UnblockCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "unblock";
  /** Whose. */
  readonly target: Prefix | "all";
}

/** Judge a capture. */
export interface ReplayCommand extends WithOutput {
  /** Which verb this is. */
  readonly verb: "replay";
  /** The capture; `-`: standard input. */
  readonly capture: string;
  /** The watched host's addresses. */
  readonly local?: readonly Address[] | undefined;
  /** Its open ports. Default: those that answer in the capture. */
  readonly open?: ListedPorts | undefined;
}

/** A command as it was understood. */
export type Command =
  | RunCommand
  | CheckCommand
  | ConvertCommand
  | AskCommand
  | WhyCommand
  | BlockCommand
  | UnblockCommand
  | ReplayCommand;

/** The command of one verb. */
export type CommandOf<V extends Command["verb"]> = Extract<Command, { readonly verb: V }>;
