/**
 * `portsnare run`: the daemon in the foreground, until a signal ends it.
 * @module
 */
import type { LoadedConfig } from "../config/load.ts";
import { loadConfig } from "../config/load.ts";
import type { Config, Mode } from "../config/schema.ts";
import { Daemon } from "../daemon.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { mapLargeBlocks, releaseFreeMemory } from "../ffi/heap.ts";
import { IDENTITY, PORTSENTRY_IDENTITY } from "../record/log_target.ts";
import { givePrivilegesUp, requirePrivileges, requireTeardownPrivileges } from "../privileges.ts";
import { teardown } from "../teardown.ts";
import type { CommandOf, PortsentryMode } from "./command.ts";
import { configPath } from "./config_path.ts";

const UMASK = 0o027;
/** They mean something to other daemons and would end this one; log rotation scripts send them on suspicion. */
const MEANINGLESS = ["SIGUSR1", "SIGUSR2"] as const;
/** Memory that a flood has needed is given back this much later at the latest. */
const TRIM_MS = 60_000;

/** Run until SIGTERM or SIGINT; SIGHUP reads the configuration anew. */
export async function run(command: CommandOf<"run">): Promise<ExitCode> {
  const path = configPath(command.config);
  const load = async (): Promise<LoadedConfig> =>
    withModes(await loadConfig(path, { refuseSharedPlaces: true }), command.modes);
  const loaded = await load();
  if (command.teardown) {
    requireTeardownPrivileges();
    await teardown(loaded.config, (line) => console.log(line));
    return EXIT.ok;
  }
  requirePrivileges(loaded.config, { dryRun: command.dryRun });
  const complaint = givePrivilegesUp(loaded.config);
  if (complaint !== undefined) console.error(`portsnare: ${complaint}`);
  mapLargeBlocks();
  // Not before: a signal that this process has caught is forgotten when it begins again.
  const ended = signalled("SIGTERM", "SIGINT");
  for (const signal of MEANINGLESS) Deno.addSignalListener(signal, () => {});
  // Whatever the shell had: nothing that is made is for everybody.
  Deno.umask(Deno.umask() | UMASK);
  const starting = Daemon.start({
    loaded,
    load,
    dryRun: command.dryRun,
    // Who comes with PortSentry's files also comes with filters that look for its name.
    identity: path.endsWith(".conf") ? PORTSENTRY_IDENTITY : IDENTITY,
  });
  const reload = (): void => {
    // The daemon has told the log what is wrong with a configuration that it does not take.
    starting.then((daemon) => daemon.reload()).catch(() => {});
  };
  // Before the daemon is ready: without a listener the signal would end the process.
  Deno.addSignalListener("SIGHUP", reload);
  const daemon = await starting;
  releaseFreeMemory();
  const trimming = setInterval(releaseFreeMemory, TRIM_MS);
  await ended;
  clearInterval(trimming);
  Deno.removeSignalListener("SIGHUP", reload);
  await daemon.stop();
  return EXIT.ok;
}

/** Resolves at the first of these signals, also when it comes before anything else is ready. */
function signalled(...signals: readonly Deno.Signal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of signals) Deno.addSignalListener(signal, () => resolve());
  return promise;
}

/** The configuration with the modes of the command line; a protocol that none of them names is off, as in PortSentry. */
function withModes(loaded: LoadedConfig, modes: readonly PortsentryMode[]): LoadedConfig {
  if (modes.length === 0) return loaded;
  const mode = (protocol: "tcp" | "udp"): Mode => {
    const given = modes.findLast((name) => name.endsWith(protocol));
    if (given === undefined) return "off";
    return given === protocol ? "connect" : given.startsWith("s") ? "stealth" : "advanced";
  };
  const config: Config = {
    ...loaded.config,
    tcp: { ...loaded.config.tcp, mode: mode("tcp") },
    udp: { ...loaded.config.udp, mode: mode("udp") },
  };
  return { ...loaded, config };
}
