/**
 * What the daemon's process may do, depending on what the configuration makes it run.
 *
 * PortSentry ran the administrator's commands with all of root's powers, and they may need any of them; without commands
 * nothing that the daemon starts needs more than it does itself.
 * @module
 */
import { bansScanners, type Config } from "./config/schema.ts";
import { watchesPackets } from "./config/trap.ts";
import { EXIT, UserError } from "./errors.ts";
import { confine, hasCapability, isConfined } from "./system/confine.ts";

/** The capabilities that can be missing, by their names in capabilities(7). */
export type Capability = "CAP_NET_ADMIN" | "CAP_NET_RAW";

/** What each is needed for. */
const USES: Readonly<Record<Capability, string>> = {
  CAP_NET_ADMIN: "the firewall",
  CAP_NET_RAW: "packet sockets",
};

/**
 * Say at once, and of all that is missing, what else would come to light one by one.
 *
 * @throws {UserError} When this configuration cannot work without one that is missing.
 */
export function requirePrivileges(
  config: Config,
  { dryRun, has = hasCapability }: {
    /** Whether nothing on this host is changed. */
    readonly dryRun: boolean;
    /** Whether this process has a capability. Default: asks the kernel. */
    readonly has?: (name: Capability) => boolean;
  },
): void {
  const missing = neededBy(config, { dryRun, admin: has("CAP_NET_ADMIN") }).filter((name) => !has(name));
  if (missing.length === 0) return;
  const uses = missing.map((name) => `${name} (${USES[name]})`).join(" and ");
  throw new UserError(
    `Cannot start: this process lacks ${uses}; run it as root, or with CAP_NET_ADMIN and CAP_NET_RAW`,
    { exitCode: EXIT.permission },
  );
}

/**
 * Say that the rules of portsnare cannot be taken back, before each program says it in its own words, or seems to find
 * none.
 *
 * @param has Whether this process has a capability. Default: asks the kernel.
 * @throws {UserError} When it lacks `CAP_NET_ADMIN`.
 */
export function requireTeardownPrivileges(has: (name: Capability) => boolean = hasCapability): void {
  if (has("CAP_NET_ADMIN")) return;
  throw new UserError(
    "Cannot take the rules back: this process lacks CAP_NET_ADMIN (the firewall); run it as root",
    { exitCode: EXIT.permission },
  );
}

function neededBy(
  config: Config,
  { dryRun, admin }: { readonly dryRun: boolean; readonly admin: boolean },
): readonly Capability[] {
  const { detect, actions } = config;
  const bans = !dryRun && bansScanners(config);
  const kernel = !dryRun && (detect.engine === "kernel" || (detect.engine === "auto" && admin));
  const watches = watchesPackets(config);
  const needed = new Set<Capability>();
  if ((bans && actions.firewall !== "none") || (watches && kernel)) needed.add("CAP_NET_ADMIN");
  // iptables opens a raw socket of its own.
  if ((watches && !kernel) || (bans && actions.firewall === "iptables")) needed.add("CAP_NET_RAW");
  return [...needed];
}

/**
 * Give up what is not needed with this configuration. Where there is something to give up this does not return: the
 * process begins again.
 *
 * @returns What the administrator should know.
 */
export function givePrivilegesUp(config: Config): string | undefined {
  return commandsIn(config).length === 0 ? confine() : undefined;
}

/** What the administrator should know about commands that run in this process's limits; `undefined`: nothing. */
export function limitsOfCommands(config: Config): string | undefined {
  const names = commandsIn(config);
  if (names.length === 0 || !isConfined()) return undefined;
  return `Commands (${names.join(", ")}) have no more of root's powers than this daemon: the network's. ` +
    "More: /usr/share/doc/portsnare/examples/unconfined-commands.conf; without systemd, start it anew";
}

function commandsIn({ actions }: Config): readonly string[] {
  return (["kill_route", "kill_run_cmd", "unblock_cmd"] as const).filter((name) =>
    actions[name] !== undefined
  );
}
