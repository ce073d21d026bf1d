/**
 * What a configuration will do on this host, as data.
 * @module
 */
import { formatDuration } from "../../config/duration.ts";
import { parseIgnoreEntry } from "../../config/ignore_entry.ts";
import type { IgnoreFile } from "../../config/ignore_file.ts";
import type { Config, Mode, Response } from "../../config/schema.ts";
import { trapOf } from "../../config/trap.ts";
import type { Listener } from "../../net/listener.ts";
import { PortSet } from "../../net/ports.ts";
import type { CheckHost } from "./check_host.ts";
import type { EngineChoice } from "./engine_forecast.ts";

/** What becomes of one protocol. */
export interface ProtocolEffect {
  /** How it is watched. */
  readonly mode: Mode;
  /** The ports that are traps now, such as `1-21,23-79`. */
  readonly trapped: string;
  /** How many they are. */
  readonly count: number;
  /** The ports that would be traps if no service had them. */
  readonly served: string;
  /** What is done about a scanner. */
  readonly response: Response;
}

/** What a configuration will do here. */
export interface Effect {
  /** The engine that looks at packets. */
  readonly engine: EngineChoice;
  /** Whether the kernel said which ports are served. */
  readonly socketsKnown: boolean;
  /** What becomes of TCP. */
  readonly tcp: ProtocolEffect;
  /** What becomes of UDP. */
  readonly udp: ProtocolEffect;
  /** Who counts as a scanner. */
  readonly trigger: string;
  /** How long bans last. */
  readonly bans: string;
  /** What keeps a scanner out. */
  readonly enforcement: readonly string[];
  /** Addresses and prefixes that are ignored, as many as there are. */
  readonly ignoredPrefixes: number;
  /** Host names that are ignored. */
  readonly ignoredNames: readonly string[];
  /** The kinds of addresses that are never banned. */
  readonly protected: readonly string[];
  /** Where bans are written for fail2ban. */
  readonly history: string;
}

/** What `config` will do on `host`, with the ignore files as they are now. */
export async function effectOf(
  config: Config,
  host: CheckHost,
  { ignoreFiles }: {
    /** The files of `ignore.files`, read. */
    readonly ignoreFiles: readonly IgnoreFile[];
  },
): Promise<Effect> {
  const listeners = host.listeners();
  return {
    engine: await host.engine(config),
    socketsKnown: listeners !== undefined,
    tcp: protocolEffect(config, "tcp", listeners ?? []),
    udp: protocolEffect(config, "udp", listeners ?? []),
    trigger: triggerText(config),
    bans: banText(config),
    enforcement: enforcementOf(config),
    ...ignoreEffect(config, ignoreFiles),
    protected: config.ignore.protect,
    history: config.files.history,
  };
}

function protocolEffect(config: Config, name: "tcp" | "udp", listeners: readonly Listener[]): ProtocolEffect {
  const { mode, response, ports } = config[name];
  const wanted = mode === "connect" ? ports : trapOf(config)[name];
  // A service that nobody outside can reach is no reason not to trap its port; but it does keep us from binding it.
  const owners = listeners.filter(({ protocol, loopback }) =>
    protocol === name && (mode === "connect" || !loopback)
  );
  const served = PortSet.of(...owners.map(({ port }) => port).filter((port) => wanted.has(port)));
  const trapped = wanted.without(served);
  return { mode, response, trapped: trapped.toString(), count: trapped.size, served: served.toString() };
}

function triggerText({ detect }: Config): string {
  if (detect.scan_trigger <= 1) return "the first probe";
  const what = detect.count === "ports" ? "distinct ports" : "probes";
  return `${detect.scan_trigger} ${what} within ${formatDuration(detect.window)}`;
}

function banText({ block }: Config): string {
  if (block.duration === Infinity) return "permanent";
  const first = formatDuration(block.duration);
  if (block.factor === 1) return first;
  const most = block.max_duration === Infinity
    ? "without limit"
    : `up to ${formatDuration(block.max_duration)}`;
  return `${first}, ${block.factor} times longer each time, ${most}`;
}

function enforcementOf({ actions }: Config): readonly string[] {
  return [
    ...(actions.firewall === "none" ? [] : [actions.firewall]),
    ...(actions.kill_route === undefined ? [] : ["kill_route"]),
    ...(actions.kill_hosts_deny === undefined ? [] : ["kill_hosts_deny"]),
    ...(actions.kill_run_cmd === undefined ? [] : ["kill_run_cmd"]),
  ];
}

function ignoreEffect(
  { ignore }: Config,
  files: readonly IgnoreFile[],
): Pick<Effect, "ignoredPrefixes" | "ignoredNames"> {
  const written = ignore.hosts.map(parseIgnoreEntry);
  const names = written.flatMap((entry) => entry.kind === "name" ? [entry.name] : []);
  return {
    ignoredPrefixes: written.filter(({ kind }) => kind === "prefix").length +
      files.reduce((sum, file) => sum + file.prefixes.length, 0),
    ignoredNames: [...new Set([...names, ...files.flatMap((file) => file.names)])],
  };
}
