import assert from "node:assert/strict";
import fc from "fast-check";
import { convert, convertPortsentry } from "../../../src/cli/convert.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { OPTION_NAMES, type OptionName } from "../../../src/config/portsentry/option_file.ts";
import { translateFiles } from "../../../src/config/portsentry/read.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { readToml } from "../../../src/config/toml_file.ts";
import { EXIT, UserError } from "../../../src/errors.ts";

const schema = configSchema(() => undefined);

/** The configuration that a TOML text gives; fails on any fault. */
function parsed(toml: string): unknown {
  const { layers, faults } = readToml(toml, "t");
  assert.deepEqual(faults, [], toml);
  return schema.parse(layers[0]);
}

const path = fc.constantFrom("/var/lib/x", "/a b/c", "/etc/portsentry/portsentry.ignore", "");
const command = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
})
  .map((text) => `${text.replaceAll('"', "'")} $TARGET$`);
const ports = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 70000 }).map(String), fc.constantFrom("5-9", "x", "")),
)
  .map((list) => list.join(","));
const VALUES: Readonly<Record<OptionName, fc.Arbitrary<string>>> = {
  TCP_PORTS: ports,
  UDP_PORTS: ports,
  ADVANCED_PORTS_TCP: fc.integer({ min: -1, max: 70000 }).map(String),
  ADVANCED_PORTS_UDP: fc.integer({ min: -1, max: 70000 }).map(String),
  ADVANCED_EXCLUDE_TCP: ports,
  ADVANCED_EXCLUDE_UDP: ports,
  IGNORE_FILE: path,
  HISTORY_FILE: path,
  BLOCKED_FILE: path,
  RESOLVE_HOST: fc.constantFrom("0", "1", "x"),
  BLOCK_UDP: fc.constantFrom("0", "1", "2", "3", ""),
  BLOCK_TCP: fc.constantFrom("0", "1", "2", "3", ""),
  KILL_ROUTE: command,
  KILL_HOSTS_DENY: command,
  KILL_RUN_CMD: command,
  KILL_RUN_CMD_FIRST: fc.constantFrom("0", "1"),
  SCAN_TRIGGER: fc.integer({ min: -1, max: 100 }).map(String),
  PORT_BANNER: command,
};
const conf = fc.subarray([...OPTION_NAMES]).chain((names) =>
  fc.tuple(...names.map((name) => VALUES[name].map((value) => `${name}="${value}"`))).map((lines) =>
    lines.join("\n")
  )
);
const modes = fc.option(
  fc.tuple(fc.constantFrom("tcp", "stcp", "atcp", ""), fc.constantFrom("udp", "sudp", "audp", ""))
    .map(([tcp, udp]) => `TCP_MODE="${tcp}"\nUDP_MODE="${udp}"\n`),
  { nil: undefined },
);

Deno.test("convertPortsentry writes TOML that loads to the same configuration, for any options", () => {
  fc.assert(
    fc.property(conf, modes, (text, modeText) => {
      const source = { path: "/etc/portsentry/portsentry.conf", text };
      const modeFile = modeText === undefined
        ? undefined
        : { path: "/etc/default/portsentry", text: modeText };
      assert.deepEqual(
        parsed(convertPortsentry({ conf: source, modeFile })),
        schema.parse(translateFiles(source, modeFile).table),
      );
    }),
    { numRuns: 200 },
  );
});

Deno.test("convertPortsentry notes every line that changed its meaning or does nothing", () => {
  const toml = convertPortsentry({
    conf: {
      path: "p.conf",
      text: 'TCP_PORTS="1,x"\nADVANCED_PORTS_TCP="9"\nSCAN_TRIGGER="2"\nFOO="1"\nBLOCKED_FILE="/b"\n',
    },
    modeFile: { path: "default", text: 'TCP_MODE="stcp"' },
  });
  for (
    const line of [
      '# TCP_MODE in default\nmode = "stealth"',
      '# TCP_PORTS, line 1\n# Changed: "x" is no port and is left out.\nports = [ 1 ]',
      "# SCAN_TRIGGER, line 3\n# Changed: only probes within detect.window count, where PortSentry counts for ever.\nscan_trigger = 2",
      "# BLOCKED_FILE, line 5\n# Changed: one file for all modes",
      "# line 4: unknown option FOO, which does nothing",
    ]
  ) assert.ok(toml.includes(line), `${line}\nis not in\n${toml}`);
});

Deno.test("C14: convertPortsentry takes ignore files over, with a note for each line that did nothing", () => {
  const path = "/etc/portsentry/portsentry.ignore.static";
  const toml = convertPortsentry({
    conf: { path: "p.conf", text: 'IGNORE_FILE="/etc/portsentry/portsentry.ignore"' },
    ignoreFiles: [{
      path,
      text:
        "# boilerplate\n192.168.0.10/24 # the LAN\n10.0.0.1/255.255.255.0\n10.0.0.300\n[fd77::1]/64\nMonitor.example.net\n10.1.1.1; old",
    }],
  });
  assert.match(toml, /# the LAN\n {2}"192\.168\.0\.10\/24",/);
  assert.match(toml, /# Line 4 did nothing and is left out: "10\.0\.0\.300" is no IPv4 address/);
  const { ignore } = schema.parse(readToml(toml, "t").layers[0]);
  assert.deepEqual(ignore.hosts, [
    "127.0.0.0/8",
    "::1",
    "192.168.0.10/24",
    "10.0.0.1/255.255.255.0",
    "[fd77::1]/64",
    "monitor.example.net",
    "10.1.1.1",
  ]);
  assert.deepEqual(ignore.files, [], "the other one was made from this");
  assert.match(toml.replaceAll("\n# ", " "), /portsentry\.ignore is not read any more, because /);
});

Deno.test("convertPortsentry writes any ignore file as TOML that parses", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
    parsed(convertPortsentry({ conf: { path: "p", text: "" }, ignoreFiles: [{ path: "i\n[x]", text }] }));
  }));
});

Deno.test("convertPortsentry leaves a huge ignore file where it is", () => {
  const huge = { path: "/etc/portsentry/portsentry.ignore", text: "10.0.0.1\n".repeat(10_001) };
  const toml = convertPortsentry({
    conf: { path: "p", text: 'IGNORE_FILE="/etc/portsentry/portsentry.ignore"' },
    ignoreFiles: [huge],
  });
  assert.equal(toml.includes("10.0.0.1"), false);
  assert.match(toml, /files = .*portsentry\.ignore"/);
  const small = { path: `${huge.path}.static`, text: "10.0.0.2\n" };
  const both = convertPortsentry({
    conf: { path: "p.conf", text: 'IGNORE_FILE="/etc/portsentry/portsentry.ignore"' },
    ignoreFiles: [huge, small],
  });
  assert.deepEqual(schema.parse(readToml(both, "t").layers[0]).ignore.files, [huge.path]);
});

Deno.test("convert writes the file, and refuses what is no PortSentry configuration with exit code 65", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const [file, output, toml] = ["portsentry.conf", "out.toml", "x"].map((name) => `${directory}/${name}`);
    assert.ok(file !== undefined && output !== undefined && toml !== undefined);
    await Deno.writeTextFile(file, 'TCP_PORTS="1-3"\n');
    await Deno.writeTextFile(toml, "[tcp]\n");
    const printed: string[] = [];
    const print = (text: string): void => void printed.push(text);
    assert.equal(await convert({ file, ignore: [], output }, print), EXIT.ok);
    assert.equal((await loadConfig(output)).config.tcp.ports.toString(), "1-3");
    assert.equal(printed.length, 1);
    await convert({ file, ignore: [] }, print);
    assert.match(printed[1] ?? "", /^# Converted by portsnare from .*portsentry\.conf \(PortSentry 2\)/);
    const isBadData = (error: UserError): boolean => error.exitCode === EXIT.badData;
    await assert.rejects(convert({ file: toml, ignore: [] }, print), isBadData);
    await Deno.writeTextFile(file, 'HISTORY_FILE="not absolute"\n');
    await assert.rejects(convert({ file, ignore: [] }, print), isBadData);
    await assert.rejects(
      convert({ file: `${directory}/none.conf`, ignore: [] }, print),
      /there is no such file/,
    );
    await Deno.writeTextFile(file, 'TCP_PORTS="1-3"\n');
    await assert.rejects(convert({ file, ignore: [], output: directory }, print), /Cannot write /);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
