/**
 * Finds what a correct configuration says that its author probably did not mean.
 * @module
 */
import { DEFAULT_EPHEMERAL_PORTS } from "../net/ports.ts";
import { formatPrefix } from "../net/prefix.ts";
import { parseIgnoreEntry } from "./ignore_entry.ts";
import type { Config, ProtocolConfig } from "./schema.ts";
import type { Problem } from "./section.ts";

const EPHEMERAL = DEFAULT_EPHEMERAL_PORTS;
const EPHEMERAL_REASON =
  `which this host also uses for its own outgoing traffic (${EPHEMERAL.first} to ${EPHEMERAL.last})`;

/** The prefixes that hold every address of their family. */
const EVERYBODY: readonly string[] = ["0.0.0.0/0", "::/0"];

/** Everything doubtful about a configuration by itself; what depends on this host is not looked at. */
export function doubtsAbout(config: Config): readonly Problem[] {
  return [
    ...protocolDoubts("tcp", config.tcp),
    ...protocolDoubts("udp", config.udp),
    ...responseDoubts(config),
    ...commandDoubts(config),
    ...placeholderDoubts(config),
    ...ignoreDoubts(config),
    ...blockDoubts(config),
  ];
}

function* protocolDoubts(name: "tcp" | "udp", protocol: ProtocolConfig): Iterable<Problem> {
  const listed = protocol.mode === "connect" || protocol.mode === "stealth";
  if (listed && protocol.ports.size === 0) {
    yield {
      path: [name, "ports"],
      message: `${name}.ports is empty, so mode "${protocol.mode}" watches nothing`,
    };
  }
  const ephemeral = listed ? ephemeralPorts(protocol) : [];
  if (ephemeral.length > 0) {
    const shown = ephemeral.slice(0, 8).join(", ") + (ephemeral.length > 8 ? ", …" : "");
    yield { path: [name, "ports"], message: `${name}.ports traps ${shown}, ${EPHEMERAL_REASON}` };
  }
  if (protocol.mode === "advanced" && protocol.advanced_below > EPHEMERAL.first) {
    const last = Math.min(protocol.advanced_below - 1, EPHEMERAL.last);
    yield {
      path: [name, "advanced_below"],
      message: `${name}.advanced_below traps ${EPHEMERAL.first} to ${last}, ${EPHEMERAL_REASON}`,
    };
  }
}

function* responseDoubts(config: Config): Iterable<Problem> {
  if (config.tcp.mode === "off" && config.udp.mode === "off") {
    yield { path: ["tcp", "mode"], message: 'tcp.mode and udp.mode are both "off", so nothing is watched' };
  }
  for (const name of ["tcp", "udp"] as const) {
    const { response } = config[name];
    if (response === "command" && config.actions.kill_run_cmd === undefined) {
      yield {
        path: [name, "response"],
        message:
          `${name}.response is "command", but actions.kill_run_cmd is not set, so nothing will be done`,
      };
    }
    if (response === "block" && !canBlock(config)) {
      yield {
        path: [name, "response"],
        message: `${name}.response is "block", but actions.firewall is "none" and neither kill_route nor ` +
          "kill_hosts_deny is set, so nobody is kept out",
      };
    }
  }
}

function* commandDoubts({ actions }: Config): Iterable<Problem> {
  for (const name of ["kill_route", "kill_hosts_deny"] as const) {
    const value = actions[name];
    if (value !== undefined && !JSON.stringify(value).includes("$TARGET$")) {
      yield {
        path: ["actions", name],
        message: `actions.${name} does not name $TARGET$, so it cannot concern the scanner and is skipped`,
      };
    }
  }
}

/** Without its second dollar sign a shell replaces it by nothing. */
function* placeholderDoubts({ actions }: Config): Iterable<Problem> {
  for (const name of ["kill_route", "kill_hosts_deny", "kill_run_cmd", "unblock_cmd"] as const) {
    const [half] = /\$(?:TARGET|PORT|MODE)\b(?!\$)/.exec(JSON.stringify(actions[name]) ?? "") ?? [];
    if (half === undefined) continue;
    yield {
      path: ["actions", name],
      message: `actions.${name} says ${half}, which is not filled in; ${half}$ is`,
    };
  }
}

function* ignoreDoubts({ ignore }: Config): Iterable<Problem> {
  for (const [index, host] of ignore.hosts.entries()) {
    const entry = parseIgnoreEntry(host);
    if (entry.kind !== "prefix" || !EVERYBODY.includes(formatPrefix(entry.prefix))) continue;
    yield {
      path: ["ignore", "hosts", index],
      message: `ignore.hosts: ${JSON.stringify(host)} is everybody, so no scanner is reported or banned`,
    };
  }
}

function* blockDoubts({ block }: Config): Iterable<Problem> {
  if (block.duration !== Infinity && block.max_duration < block.duration) {
    yield {
      path: ["block", "max_duration"],
      message: "block.max_duration is shorter than block.duration, so every ban is as long as max_duration",
    };
  }
}

function canBlock({ actions }: Config): boolean {
  return actions.firewall !== "none" || actions.kill_route !== undefined ||
    actions.kill_hosts_deny !== undefined;
}

function ephemeralPorts({ ports }: ProtocolConfig): readonly number[] {
  const found: number[] = [];
  for (let port = EPHEMERAL.first; port <= EPHEMERAL.last; port++) {
    if (ports.has(port)) found.push(port);
  }
  return found;
}
