/**
 * Takes everything of portsnare out of the kernel and out of hosts.deny, whichever configuration put it there.
 *
 * The state stays: a daemon that is started again restores the bans that still have time left.
 * @module
 */
import type { Config } from "./config/schema.ts";
import { EXIT, messageOf, UserError } from "./errors.ts";
import { DEFAULT_EPHEMERAL_PORTS } from "./net/ports.ts";
import type { Backend } from "./respond/backend.ts";
import { HostsDeny } from "./respond/hosts_deny.ts";
import { IptablesBackend } from "./respond/iptables.ts";
import { NftablesBackend } from "./respond/nftables/backend.ts";
import { rulesetPlan } from "./respond/nftables/plan.ts";
import { RouteBackend } from "./respond/route.ts";
import { systemClock } from "./system/clock.ts";
import { run as exec } from "./system/exec.ts";
import { readSmallFile } from "./system/proc.ts";

/**
 * Remove everything of ours.
 *
 * @param print Takes one line for each thing that was removed.
 * @throws {UserError} With everything that could not be removed.
 */
export async function teardown(config: Config, print: (line: string) => void): Promise<void> {
  const plan = rulesetPlan(config, {
    engine: "raw",
    conntrack: false,
    ephemeral: DEFAULT_EPHEMERAL_PORTS,
  });
  const backends: readonly Backend[] = [
    new NftablesBackend({ plan, exec, monotonicMs: systemClock.monotonicMs }),
    new IptablesBackend({ exec, hasIpv6: () => readSmallFile("/proc/net/if_inet6") !== undefined }),
    new RouteBackend({ exec }),
  ];
  const failures: string[] = [];
  for (const backend of backends) {
    try {
      await backend.teardown();
      print(`${backend.name}: nothing of portsnare is left`);
    } catch (error) {
      failures.push(`${backend.name}: ${messageOf(error)}`);
    }
  }
  failures.push(...await clearHostsDeny(config.files.hosts_deny, print));
  if (failures.length > 0) throw new UserError(failures.join("\n"), { exitCode: EXIT.unavailable });
}

async function clearHostsDeny(path: string, print: (line: string) => void): Promise<readonly string[]> {
  const file = new HostsDeny(path);
  try {
    const targets = file.targets();
    const outcomes = await file.remove(targets);
    const failed = outcomes.flatMap((outcome) => outcome.ok ? [] : [`${path}: ${outcome.error}`]);
    if (failed.length === 0) print(`${path}: nothing of portsnare is left`);
    return failed;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    return [`${path}: ${messageOf(error)}`];
  }
}
