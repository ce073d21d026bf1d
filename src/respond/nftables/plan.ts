/**
 * What our nftables table is to do, made from the configuration.
 * @module
 */
import type { Config } from "../../config/schema.ts";
import { type Trap, trapOf } from "../../config/trap.ts";
import type { PortRange } from "../../net/ports.ts";

/** What the kernel itself does with the source of a trapped packet. */
export type Seizure =
  /** Nothing: the packet is only reported. */
  | "none"
  /** Keep it from opening anything new for a few seconds. */
  | "quarantine"
  /** Drop everything from it until the daemon has decided. */
  | "ban";

/** The trap of the kernel engine. */
export interface TrapPlan {
  /** What is trapped. */
  readonly ports: Trap;
  /** Before or behind the admin's own filter chains. */
  readonly position: Config["detect"]["position"];
  /** For TCP and SCTP. */
  readonly tcp: Seizure;
  /** For UDP. */
  readonly udp: Seizure;
}

/** Everything that the ruleset depends on. */
export interface RulesetPlan {
  /** `undefined`: another engine looks at packets, and the table only enforces. */
  readonly trap: TrapPlan | undefined;
  /** 0: nobody is quarantined. */
  readonly quarantineSeconds: number;
  /** How long asking for the same port again does not bring a new quarantine. */
  readonly windowSeconds: number;
  /** How long a ban that the kernel made by itself lasts unless the daemon confirms it. */
  readonly provisionalSeconds: number;
  /** How many bans there may be. */
  readonly maxActive: number;
  /** How many sources the kernel may seize a second. */
  readonly rate: number;
  /**
   * Whether this host tracks connections anyway. We never start it: a rule that names a connection's state would
   * make the kernel track every connection of the host.
   */
  readonly conntrack: boolean;
  /** The ports that this host connects from. */
  readonly ephemeral: PortRange;
}

/** What only the host knows. */
export interface PlanFacts {
  /** Which engine looks at packets. */
  readonly engine: "kernel" | "raw";
  /** See {@link RulesetPlan.conntrack}. */
  readonly conntrack: boolean;
  /** See {@link RulesetPlan.ephemeral}. */
  readonly ephemeral: PortRange;
}

/**
 * A ban that the kernel makes by itself is the daemon's to confirm within milliseconds. If its report is lost in a
 * flood, a forged sender must not keep an address out for longer than this.
 */
const PROVISIONAL_SECONDS = 60;

/** The plan that a configuration asks for. */
export function rulesetPlan(config: Config, facts: PlanFacts): RulesetPlan {
  const { detect, block } = config;
  return {
    trap: facts.engine === "raw" ? undefined : {
      ports: trapOf(config),
      position: detect.position,
      tcp: seizure(config, config.tcp.response),
      udp: seizure(config, config.udp.response),
    },
    quarantineSeconds: block.quarantine,
    windowSeconds: detect.window,
    provisionalSeconds: Math.min(PROVISIONAL_SECONDS, block.duration),
    maxActive: block.max_active,
    rate: block.rate,
    conntrack: facts.conntrack,
    ephemeral: facts.ephemeral,
  };
}

/** Whether the kernel treats any source in this way. */
export function seizes({ trap }: RulesetPlan, how: Seizure): boolean {
  return trap?.tcp === how || trap?.udp === how;
}

function seizure(config: Config, response: Config["tcp"]["response"]): Seizure {
  // Where the admin has another firewall, or none, ours keeps nobody out.
  if (response !== "block" || config.actions.firewall !== "nftables") return "none";
  if (config.detect.scan_trigger <= 1) return "ban";
  return config.block.quarantine > 0 ? "quarantine" : "none";
}
