/**
 * Says in our keys what a PortSentry configuration means, including what PortSentry does without being told.
 *
 * PortSentry has no firewall of its own and never ends a block: what its KILL options do is all that is done, and it
 * is done for good. A translated configuration keeps both, so that the administrator's own rules stay in charge.
 * @module
 */
import type { Mode } from "../schema.ts";
import type { OptionName } from "./option_file.ts";
import { parsePortList } from "./port_list.ts";
import { atoi, fromOption, given, implied, type PortsentryConfig, type Setting } from "./setting.ts";

/** The modes that PortSentry would be started in. */
export interface Modes {
  /** For TCP. */
  readonly tcp: Mode;
  /** For UDP. */
  readonly udp: Mode;
}

/** Our `scan_trigger` ends here. */
const MAX_TRIGGER = 64;

/** Every setting that follows from a PortSentry configuration, in the order of our sections. */
export function translate(conf: PortsentryConfig, modes: Modes): readonly Setting[] {
  return [
    ...protocolSettings(conf, "tcp", modes.tcp),
    ...protocolSettings(conf, "udp", modes.udp),
    ...detectSettings(conf),
    ...ignoreSettings(conf),
    implied(
      ["block", "duration"],
      "permanent",
      'PortSentry never ends a block. With a duration such as "1d" it ends ' +
        "by itself, and what was done is undone (see unblock_cmd).",
    ),
    implied(
      ["block", "quarantine"],
      "0s",
      'PortSentry has none. "5s" hides the rest of this host from a scanner ' +
        "before it is banned.",
    ),
    ...actionSettings(conf),
    ...fileSettings(conf),
  ];
}

function* protocolSettings(conf: PortsentryConfig, protocol: "tcp" | "udp", wanted: Mode): Iterable<Setting> {
  const upper = protocol === "tcp" ? "TCP" : "UDP";
  const [portsName, belowName, excludeName, blockName] = [
    `${upper}_PORTS`,
    `ADVANCED_PORTS_${upper}`,
    `ADVANCED_EXCLUDE_${upper}`,
    `BLOCK_${upper}`,
  ] as const;
  const list = parsePortList(given(conf, portsName)?.value ?? "");
  const below = conf.options.has(belowName) ? atoi(conf.options.get(belowName)?.value ?? "") : 1024;
  const [mode, why] = usableMode(wanted, { portsName, belowName, ports: list.ports.length, below });
  yield { path: [protocol, "mode"], value: mode, notes: why === undefined ? [] : [why] };
  if (list.ports.length > 0) {
    yield fromOption(conf, portsName, { path: [protocol, "ports"], value: list.ports, notes: list.notes });
  }
  if (conf.options.has(belowName) && below >= 1) {
    const notes = below > 65536 ? ["there are 65536 ports, so all are watched"] : [];
    yield fromOption(conf, belowName, {
      path: [protocol, "advanced_below"],
      value: Math.min(below, 65536),
      notes,
    });
  }
  if (conf.options.has(excludeName)) {
    const { ports, notes } = parsePortList(conf.options.get(excludeName)?.value ?? "");
    yield fromOption(conf, excludeName, { path: [protocol, "exclude"], value: ports, notes });
  } else if (conf.version === 1) {
    yield implied([protocol, "exclude"], [], `${excludeName} is not set, so PortSentry excludes no port.`);
  }
  if (conf.options.has(blockName)) yield responseSetting(conf, protocol, blockName);
}

/** PortSentry refuses to start in a mode that has nothing to watch. We do not watch, and say so. */
function usableMode(
  mode: Mode,
  { portsName, belowName, ports, below }: {
    readonly portsName: OptionName;
    readonly belowName: OptionName;
    readonly ports: number;
    readonly below: number;
  },
): readonly [Mode, string | undefined] {
  if ((mode === "connect" || mode === "stealth") && ports === 0) {
    return ["off", `mode "${mode}" is off, because ${portsName} names no port; PortSentry would not start`];
  }
  if (mode === "advanced" && below < 1) {
    return ["off", `mode "advanced" is off, because ${belowName} is below 1`];
  }
  return [mode, undefined];
}

function responseSetting(conf: PortsentryConfig, protocol: "tcp" | "udp", name: OptionName): Setting {
  const value = conf.options.get(name)?.value ?? "";
  const response = ["observe", "block", "command"][atoi(value)];
  const notes = response === undefined ? [`${JSON.stringify(value)} is neither 0, 1 nor 2, and means 0`] : [];
  return fromOption(conf, name, { path: [protocol, "response"], value: response ?? "observe", notes });
}

function* detectSettings(conf: PortsentryConfig): Iterable<Setting> {
  const trigger = Math.max(0, atoi(conf.options.get("SCAN_TRIGGER")?.value ?? "0"));
  const path = ["detect", "scan_trigger"] as const;
  if (conf.options.has("SCAN_TRIGGER")) {
    const notes = trigger > MAX_TRIGGER ? [`${trigger} is more than ${MAX_TRIGGER}, which is the most`] : [];
    const changes = trigger > 1
      ? ["only probes within detect.window count, where PortSentry counts for ever"]
      : [];
    yield fromOption(conf, "SCAN_TRIGGER", { path, value: Math.min(trigger, MAX_TRIGGER), notes, changes });
  } else yield implied(path, 0, "SCAN_TRIGGER is not set, so PortSentry answers the first probe.");
  if (trigger > 1) {
    yield implied(
      ["detect", "count"],
      "probes",
      'PortSentry counts packets. "ports" forgives a client that retries.',
    );
  }
  if (conf.options.has("RESOLVE_HOST")) {
    const value = atoi(conf.options.get("RESOLVE_HOST")?.value ?? "") !== 0;
    const changes = value ? ["the name is looked up beside the block, not before it"] : [];
    yield fromOption(conf, "RESOLVE_HOST", { path: ["detect", "resolve_host"], value, changes });
  }
}

function* ignoreSettings(conf: PortsentryConfig): Iterable<Setting> {
  const file = given(conf, "IGNORE_FILE")?.value;
  if (file === undefined) return;
  // Debian's start script copies the .static file into the other one. We read both, so that no copy can be stale.
  const files = file.endsWith(".ignore") ? [file, `${file}.static`] : [file];
  yield fromOption(conf, "IGNORE_FILE", {
    path: ["ignore", "files"],
    value: files,
    remark:
      "Both files are read directly, and read again when they change. Host bits, dotted netmasks, IPv6 and names work.",
  });
}

function* actionSettings(conf: PortsentryConfig): Iterable<Setting> {
  yield implied(
    ["actions", "firewall"],
    "none",
    "PortSentry has no firewall of its own; what KILL_ROUTE does is all " +
      'that is done. "nftables" drops everything from a scanner, fast, and ends by itself.',
  );
  if (given(conf, "KILL_ROUTE") !== undefined) yield targeted(conf, "KILL_ROUTE", "kill_route");
  if (given(conf, "KILL_HOSTS_DENY") !== undefined) {
    yield targeted(conf, "KILL_HOSTS_DENY", "kill_hosts_deny");
  }
  const command = given(conf, "KILL_RUN_CMD");
  if (command !== undefined) {
    yield fromOption(conf, "KILL_RUN_CMD", { path: ["actions", "kill_run_cmd"], value: command.value });
  }
  if (conf.options.has("KILL_RUN_CMD_FIRST")) {
    const value = atoi(conf.options.get("KILL_RUN_CMD_FIRST")?.value ?? "") !== 0;
    yield fromOption(conf, "KILL_RUN_CMD_FIRST", { path: ["actions", "kill_run_cmd_first"], value });
  }
  const banner = given(conf, "PORT_BANNER");
  if (banner !== undefined) {
    yield fromOption(conf, "PORT_BANNER", { path: ["actions", "port_banner"], value: banner.value });
  }
}

function targeted(conf: PortsentryConfig, name: "KILL_ROUTE" | "KILL_HOSTS_DENY", key: string): Setting {
  const value = given(conf, name)?.value ?? "";
  const usable = value.includes("$TARGET$");
  return fromOption(conf, name, {
    path: ["actions", key],
    value: usable ? value : undefined,
    notes: usable ? [] : ["skipped, as PortSentry does, because it does not contain $TARGET$"],
  });
}

function* fileSettings(conf: PortsentryConfig): Iterable<Setting> {
  const history = given(conf, "HISTORY_FILE");
  if (history !== undefined) {
    const changes = conf.version === 2
      ? [
        "the lines have the form of PortSentry 1.2, which fail2ban's own filter reads, and the file is never cut off",
      ]
      : [];
    yield fromOption(conf, "HISTORY_FILE", { path: ["files", "history"], value: history.value, changes });
  }
  const blocked = given(conf, "BLOCKED_FILE");
  if (blocked === undefined) return;
  yield conf.version === 2
    ? fromOption(conf, "BLOCKED_FILE", {
      path: ["files", "blocked"],
      value: undefined,
      changes: [
        "not used: bans are kept in the database, files.state" +
        (/^(?:\/var)?\/tmp\//.test(blocked.value) ? ", where nobody else can write" : ""),
      ],
    })
    : fromOption(conf, "BLOCKED_FILE", {
      path: ["files", "blocked"],
      value: blocked.value,
      changes: [
        "one file for all modes, without their names at its end; it is only written, bans are kept in files.state",
      ],
    });
}
