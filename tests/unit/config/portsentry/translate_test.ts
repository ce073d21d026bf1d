import assert from "node:assert/strict";
import { translateFiles, type Translation } from "../../../../src/config/portsentry/read.ts";
import { type Config, configSchema } from "../../../../src/config/schema.ts";

function translated(conf: string, modes?: string): Translation {
  const modeFile = modes === undefined ? undefined : { path: "default", text: modes };
  return translateFiles({ path: "p.conf", text: conf }, modeFile);
}

function configOf(conf: string, modes?: string): Config {
  return configSchema(() => undefined).parse(translated(conf, modes).table);
}

/** The value at `path` of the configuration, as text. */
function value(conf: string, path: string, modes?: string): string {
  const [section = "", key = ""] = path.split(".");
  const sections: Readonly<Record<string, object>> = { ...configOf(conf, modes) };
  return String(Object.entries(sections[section] ?? {}).find(([name]) => name === key)?.[1]);
}

const ADVANCED = 'TCP_MODE="atcp"\nUDP_MODE="audp"\n';

Deno.test("translate maps each option of PortSentry 1.2 to its key", () => {
  const rows: [conf: string, path: string, expected: string][] = [
    ['TCP_PORTS="1,11"', "tcp.ports", "1,11"],
    ['UDP_PORTS="7,9-10"', "udp.ports", "7,9-10"],
    ['ADVANCED_PORTS_TCP="512"', "tcp.advanced_below", "512"],
    ['ADVANCED_PORTS_UDP="70000"', "udp.advanced_below", "65536"],
    ['ADVANCED_EXCLUDE_TCP="113, 139"', "tcp.exclude", "113,139"],
    ['ADVANCED_EXCLUDE_UDP=""', "udp.exclude", ""],
    ['BLOCK_TCP="0"', "tcp.response", "observe"],
    ['BLOCK_TCP="1"', "tcp.response", "block"],
    ['BLOCK_UDP="2"', "udp.response", "command"],
    ['BLOCK_UDP="3"', "udp.response", "observe"],
    ['BLOCK_UDP="yes"', "udp.response", "observe"],
    ['SCAN_TRIGGER="0"', "detect.scan_trigger", "0"],
    ['SCAN_TRIGGER="2"', "detect.scan_trigger", "2"],
    ['SCAN_TRIGGER="2"', "detect.count", "probes"],
    ['SCAN_TRIGGER="99"', "detect.scan_trigger", "64"],
    ["", "detect.scan_trigger", "0"],
    ['RESOLVE_HOST = "1"', "detect.resolve_host", "true"],
    ['RESOLVE_HOST = "0"', "detect.resolve_host", "false"],
    [
      'IGNORE_FILE="/etc/portsentry/portsentry.ignore"',
      "ignore.files",
      "/etc/portsentry/portsentry.ignore,/etc/portsentry/portsentry.ignore.static",
    ],
    ['IGNORE_FILE="/etc/ignore"', "ignore.files", "/etc/ignore"],
    ['HISTORY_FILE="/var/h"', "files.history", "/var/h"],
    ['ADVANCED_PORTS_TCP="1"\nBLOCKED_FILE="/var/b"', "files.blocked", "/var/b"],
    ['KILL_ROUTE="/sbin/x $TARGET$"', "actions.kill_route", "/sbin/x $TARGET$"],
    ['KILL_ROUTE="/sbin/x"', "actions.kill_route", "undefined"],
    ['KILL_HOSTS_DENY="ALL: $TARGET$"', "actions.kill_hosts_deny", "ALL: $TARGET$"],
    ['KILL_HOSTS_DENY="ALL: ALL"', "actions.kill_hosts_deny", "undefined"],
    ['KILL_RUN_CMD="/bin/mail"', "actions.kill_run_cmd", "/bin/mail"],
    ['KILL_RUN_CMD_FIRST = "1"', "actions.kill_run_cmd_first", "true"],
    ['PORT_BANNER="Go away"', "actions.port_banner", "Go away"],
    ["", "actions.firewall", "none"],
    ["", "block.duration", "Infinity"],
    ["", "block.quarantine", "0"],
  ];
  for (const [conf, path, expected] of rows) {
    assert.equal(value(conf, path, ADVANCED), expected, `${conf} → ${path}`);
  }
});

Deno.test("C6: translate takes the modes from the mode file, else what PortSentry does without one", () => {
  const v1 = 'TCP_PORTS="1"\nUDP_PORTS="1"\nADVANCED_PORTS_TCP="1024"';
  const v2 = 'TCP_PORTS="1,5-9"';
  const rows: [conf: string, modes: string | undefined, tcp: string, udp: string][] = [
    [v1, ADVANCED, "advanced", "advanced"],
    [v1, 'TCP_MODE="stcp"', "stealth", "off"],
    [v1, undefined, "connect", "connect"],
    [v2, undefined, "stealth", "off"],
    [v2, ADVANCED, "advanced", "advanced"],
    // Nothing that only one version takes: the one that needs no mode file.
    ['TCP_PORTS="1"', undefined, "stealth", "off"],
    // A mode with nothing to watch, in which PortSentry does not start.
    ['UDP_PORTS=""', 'TCP_MODE="tcp"\nUDP_MODE="sudp"', "off", "off"],
    ['ADVANCED_PORTS_TCP="0"', ADVANCED, "off", "advanced"],
  ];
  for (const [conf, modes, tcp, udp] of rows) {
    const config = configOf(conf, modes);
    assert.deepEqual([config.tcp.mode, config.udp.mode], [tcp, udp], `${conf} | ${modes}`);
  }
});

Deno.test("F14: translate without exclusions watches the ports below the limit, not all", () => {
  const config = configOf('ADVANCED_PORTS_TCP="1024"', ADVANCED);
  assert.equal(config.tcp.exclude.size, 0);
  assert.equal(config.tcp.advanced_below, 1024);
});

Deno.test("F25: translate takes what makes PortSentry 2 leave, and says of each line what became of it", () => {
  const { notes, changes, faults } = translated(
    [
      'TCP_PORTS="abc,5-9"',
      'BLOCKED_FILE=""',
      ' BLOCK_TCP="1"',
      'B="0"',
      'BLOCK_UDP="7"',
      'KILL_ROUTE="/sbin/reboot"',
      'SCAN_TRIGGER="2"',
      'RESOLVE_HOST="1"',
    ].join("\n"),
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(notes.map((note) => `${note.line}: ${note.message}`), [
    '1: TCP_PORTS: "abc" is no port and is left out',
    "3: this line does nothing: BLOCK_TCP must begin at the start of the line",
    "4: unknown option B, which does nothing",
    '5: BLOCK_UDP: "7" is neither 0, 1 nor 2, and means 0',
    "6: KILL_ROUTE: skipped, as PortSentry does, because it does not contain $TARGET$",
  ]);
  assert.deepEqual(changes.map((change) => `${change.line}: ${change.message}`), [
    "7: SCAN_TRIGGER: only probes within detect.window count, where PortSentry counts for ever",
    "8: RESOLVE_HOST: the name is looked up beside the block, not before it",
  ]);
});

Deno.test("F21: translate keeps no list of bans in a directory that everybody may write to", () => {
  const { changes, table } = translated('TCP_PORTS="1-2"\nBLOCKED_FILE="/tmp/portsentry.blocked"');
  assert.equal(JSON.stringify(table).includes("/tmp"), false);
  assert.match(
    changes.map((change) => change.message).join(),
    /BLOCKED_FILE: not used: .* where nobody else can write/,
  );
});
