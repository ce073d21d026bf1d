/**
 * Finds programs that a configuration needs and this host does not have, with the Debian package of each.
 * @module
 */
import { bansScanners, type Command, type Config } from "../../config/schema.ts";
import { ADDON_PACKAGES, addonIn, packageOf } from "../../system/debian_packages.ts";
import type { CheckHost } from "./check_host.ts";
import type { EngineChoice } from "./engine_forecast.ts";
import type { Finding } from "./report.ts";

/** Words that the shell itself knows, and openings of what is no plain command. */
const SHELL_WORD =
  /^(?:[.:[{(!]|echo|printf|test|true|false|cd|exec|if|for|while|case|set|export|command|eval)$|[=$`"'(){}|&;<>]/;

/** What is missing. The programs of the engine and firewall are errors; those of the administrator's commands warnings. */
export async function missingPrograms(
  config: Config,
  engine: EngineChoice,
  host: CheckHost,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { program, what } of needed(config, engine)) {
    if (!await host.hasProgram(program)) {
      findings.push({ level: "error", message: `${what} needs ${missing(program)}` });
    }
  }
  if (config.actions.firewall === "iptables" && bansScanners(config) && !await host.hasProgram("ipset")) {
    findings.push({ level: "note", message: `iptables is slow with many bans without ${missing("ipset")}` });
  }
  for (const name of ["kill_route", "kill_run_cmd", "unblock_cmd"] as const) {
    const command = config.actions[name];
    if (command !== undefined) findings.push(...await commandFindings(`actions.${name}`, command, host));
  }
  return findings;
}

function* needed(
  config: Config,
  engine: EngineChoice,
): Iterable<{ readonly program: string; readonly what: string }> {
  const { firewall } = config.actions;
  if (engine.engine === "kernel") yield { program: "nft", what: "The kernel engine" };
  if (!bansScanners(config)) return;
  if (firewall === "nftables" && engine.engine !== "kernel") {
    yield { program: "nft", what: 'actions.firewall = "nftables"' };
  }
  if (firewall === "iptables") yield { program: "iptables", what: 'actions.firewall = "iptables"' };
  if (firewall === "route") yield { program: "ip", what: 'actions.firewall = "route"' };
}

async function commandFindings(name: string, command: Command, host: CheckHost): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const program = typeof command === "string" ? command.trim().split(/\s+/)[0] : command[0];
  if (program !== undefined && !SHELL_WORD.test(program) && !await host.hasProgram(program)) {
    findings.push({ level: "warning", message: `${name} needs ${missing(program)}` });
  }
  const text = typeof command === "string" ? command : command.join(" ");
  const addon = addonIn(text);
  if (addon !== undefined && !await hasExtension(addon, host)) {
    findings.push({
      level: "warning",
      message:
        `${name} uses ${addon} of xtables-addons, which is not installed (Debian packages ${ADDON_PACKAGES})`,
    });
  }
  return findings;
}

/** Whether iptables finds this extension where Debian has them, on either 64-bit architecture. */
async function hasExtension(name: string, host: CheckHost): Promise<boolean> {
  for (const architecture of ["x86_64-linux-gnu", "aarch64-linux-gnu"]) {
    // A shared object is executable by nobody, so it is looked for as a file.
    if (await host.readText(`/usr/lib/${architecture}/xtables/libxt_${name}.so`) !== undefined) return true;
  }
  return false;
}

function missing(program: string): string {
  const known = packageOf(program);
  return `${program}, which is not there${known === undefined ? "" : ` (Debian package ${known})`}`;
}
