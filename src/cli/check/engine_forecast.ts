/**
 * Which engine the daemon would get on this host, tried without changing anything.
 * @module
 */
import { LogGroup } from "../../capture/log_group.ts";
import { SPARE_NFLOG_GROUP } from "../../capture/nflog.ts";
import { bansScanners, type Config } from "../../config/schema.ts";
import { watchesPackets } from "../../config/trap.ts";
import { messageOf, SyscallError, UserError } from "../../errors.ts";
import { HostFacts } from "../../host/host_facts.ts";
import { NftablesBackend } from "../../respond/nftables/backend.ts";
import { rulesetPlan } from "../../respond/nftables/plan.ts";
import { systemClock } from "../../system/clock.ts";
import { hasCapability } from "../../system/confine.ts";
import { run as exec } from "../../system/exec.ts";

/** The engine that this host gets. */
export interface EngineChoice {
  /**
   * `none`: no packets are looked at, because both protocols are off or in mode connect. `unknown`: who asks may not
   * try.
   */
  readonly engine: "kernel" | "raw" | "none" | "unknown";
  /** Why this one. */
  readonly why: string;
  /** Why the daemon would not start; left out when it would, as far as could be tried. */
  readonly failure?: string | undefined;
}

/** What a forecast is made from. */
export interface ForecastFacts {
  /** Whether nft is installed. */
  readonly hasNft: boolean;
  /** Whether this process may try. */
  readonly mayTry: boolean;
  /** Tries what nftables has to do for an engine. @returns Why it cannot. */
  readonly rehearse: (engine: "kernel" | "raw") => Promise<string | undefined>;
}

/** What the daemon would choose. */
export async function forecastEngine(config: Config, facts: ForecastFacts): Promise<EngineChoice> {
  const { engine } = config.detect;
  if (!watchesPackets(config)) {
    return await enforced(config, facts, {
      engine: "none",
      why: "no protocol is in mode stealth or advanced",
    });
  }
  if (engine === "raw") return await enforced(config, facts, { engine, why: "detect.engine says so" });
  if (!facts.hasNft) {
    return engine === "kernel"
      ? { engine, why: "detect.engine says so" }
      : { engine: "raw", why: "nft is not installed (Debian package nftables)" };
  }
  if (!facts.mayTry) {
    return engine === "kernel"
      ? { engine, why: "detect.engine says so" }
      : { engine: "unknown", why: "kernel where nftables works, else raw; only root can try" };
  }
  const failure = await facts.rehearse("kernel");
  if (failure === undefined) {
    return { engine: "kernel", why: "tried: nftables takes our rules, the kernel reports" };
  }
  return engine === "kernel"
    ? { engine, why: "detect.engine says so", failure }
    : await enforced(config, facts, { engine: "raw", why: failure });
}

/** An engine that does without nftables, with the bans that may need it. */
async function enforced(config: Config, facts: ForecastFacts, choice: EngineChoice): Promise<EngineChoice> {
  const tries = bansScanners(config) && config.actions.firewall === "nftables" && facts.hasNft &&
    facts.mayTry;
  return tries ? { ...choice, failure: await facts.rehearse("raw") } : choice;
}

/** The facts of this host. */
export function realForecastFacts(config: Config, hasNft: boolean): ForecastFacts {
  return { hasNft, mayTry: hasCapability("CAP_NET_ADMIN"), rehearse: (engine) => rehearse(config, engine) };
}

async function rehearse(config: Config, engine: "kernel" | "raw"): Promise<string | undefined> {
  try {
    await using host = new HostFacts(config, systemClock);
    const plan = rulesetPlan(config, {
      engine,
      conntrack: host.conntrack.inUse(),
      ephemeral: host.ephemeralPorts(),
    });
    using table = new NftablesBackend({ plan, exec, monotonicMs: systemClock.monotonicMs });
    await table.rehearse();
    // The groups of the daemon are taken while it runs.
    if (engine === "kernel") {
      new LogGroup(SPARE_NFLOG_GROUP, { threshold: 1, timeoutCs: 0 })[Symbol.dispose]();
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof SyscallError)) throw error;
    return messageOf(error);
  }
}
