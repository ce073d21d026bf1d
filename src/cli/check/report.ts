/**
 * What there is to say of a configuration on this host: what is wrong, what is doubtful, and what it will do.
 * @module
 */
import { bansScanners, type Config } from "../../config/schema.ts";
import { ConfigError, type Fault, messageOf } from "../../errors.ts";
import { allowOverrides } from "../../respond/hosts_allow.ts";
import { undoOf } from "../../respond/undo.ts";
import type { CheckHost } from "./check_host.ts";
import { type Effect, effectOf } from "./effect.ts";
import { missingPrograms } from "./programs.ts";

/** One thing to say. Without a file it is about the host. */
export interface Finding {
  /** `error`: the daemon does not start, or cannot do what it is told. `warning`: probably not meant. `note`: to know. */
  readonly level: "error" | "warning" | "note";
  /** What is wrong and what to do about it. */
  readonly message: string;
  /** The file that says so. */
  readonly file?: string;
  /** The line, from 1; 0 or absent: the file as a whole. */
  readonly line?: number;
  /** The column, from 1. */
  readonly column?: number;
}

/** What `portsnare check` found. */
export interface CheckReport {
  /** Whether the daemon would start with this and do what it says. */
  readonly ok: boolean;
  /** Whether the configuration itself is wrong, rather than the host. */
  readonly configWrong: boolean;
  /** The files that were read. */
  readonly sources: readonly string[];
  /** Errors first. */
  readonly findings: readonly Finding[];
  /** What it will do here; absent when the configuration is wrong. */
  readonly effect?: Effect;
}

const HOSTS_ALLOW = "/etc/hosts.allow";
const LEVELS = ["error", "warning", "note"] as const;

/** Checks the configuration in `path` on a host. */
export async function checkConfig(path: string, host: CheckHost): Promise<CheckReport> {
  try {
    const { config, sources, warnings, notes = [] } = await host.load(path);
    const ignoreFiles = [...(await host.ignoreFiles(config.ignore.files)).values()];
    const effect = await effectOf(config, host, { ignoreFiles });
    const findings = [
      ...warnings.map((fault) => findingOf("warning", fault)),
      ...notes.map((fault) => findingOf("note", fault)),
      ...ignoreFiles.flatMap((file) => file.faults).map((fault) => findingOf("warning", fault)),
      ...await missingPrograms(config, effect.engine, host),
      ...engineFindings(effect),
      ...portFindings(config, effect),
      ...undoFindings(config),
      ...denyFindings(config, host),
      ...await overrideFindings(config, host),
    ].toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
    const ok = !findings.some(({ level }) => level === "error");
    return { ok, configWrong: false, sources, findings, effect };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const findings = error.faults.map((fault) => findingOf("error", fault));
    return { ok: false, configWrong: true, sources: [path], findings };
  }
}

function findingOf(level: Finding["level"], { file, line, column, message }: Fault): Finding {
  return { level, file, line, column, message };
}

function* engineFindings({ engine }: Effect): Iterable<Finding> {
  if (engine.failure !== undefined) yield { level: "error", message: engine.failure };
  if (engine.engine === "unknown") {
    yield { level: "note", message: "Only root can try which engine works here; as root, check says it" };
  }
}

function* portFindings(config: Config, effect: Effect): Iterable<Finding> {
  if (!effect.socketsKnown) {
    yield {
      level: "note",
      message:
        "The kernel does not tell which ports are served here, so the traps below are all there could be",
    };
  }
  for (const name of ["tcp", "udp"] as const) {
    const { mode, served } = effect[name];
    if (served === "") continue;
    yield mode === "connect"
      ? {
        level: "warning",
        message: `${name} ports ${served} cannot be bound: a service has them; they are skipped`,
      }
      : { level: "note", message: `${name} ports ${served} are served here and therefore no trap` };
  }
  if (config.tcp.response === "observe" && config.udp.response === "observe") {
    yield { level: "note", message: 'Nobody is banned: tcp.response and udp.response are both "observe"' };
  }
}

function* undoFindings(config: Config): Iterable<Finding> {
  const { kill_route, unblock_cmd } = config.actions;
  if (!bansScanners(config) || kill_route === undefined || unblock_cmd !== undefined) return;
  if (undoOf(kill_route) !== undefined) return;
  yield {
    level: "note",
    message: "What actions.kill_route does stays when a ban ends, because its opposite is not known; " +
      "set actions.unblock_cmd",
  };
}

/** What keeps `kill_hosts_deny` from writing its lines; a file that is not there is made at the first ban. */
function denyFindings(config: Config, host: CheckHost): readonly Finding[] {
  const file = config.files.hosts_deny;
  const fault = writesHostsDeny(config) ? host.editFault(file) : undefined;
  return fault === undefined
    ? []
    : [{ level: "warning", file, message: `kill_hosts_deny cannot write here: ${fault}` }];
}

function writesHostsDeny(config: Config): boolean {
  return config.actions.kill_hosts_deny !== undefined && bansScanners(config);
}

/** Lines of hosts.allow win over hosts.deny (hosts_access(5)), whatever `kill_hosts_deny` writes there. */
async function overrideFindings(config: Config, host: CheckHost): Promise<readonly Finding[]> {
  if (!writesHostsDeny(config)) return [];
  try {
    return allowOverrides(await host.readText(HOSTS_ALLOW) ?? "").map(({ line, text }) => ({
      level: "note",
      file: HOSTS_ALLOW,
      line,
      message: `${JSON.stringify(text)} lets in whoever it names, even when hosts.deny names them too`,
    }));
  } catch (error) {
    return [{ level: "warning", file: HOSTS_ALLOW, message: messageOf(error) }];
  }
}
