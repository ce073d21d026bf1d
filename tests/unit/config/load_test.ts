import assert from "node:assert/strict";
import fc from "fast-check";
import process from "node:process";
import { MAX_FAULTS } from "../../../src/config/fault_list.ts";
import { MAX_CONFIG_BYTES } from "../../../src/config/text_file.ts";
import { ConfigError, EXIT, formatFault, UserError } from "../../../src/errors.ts";
import { loadConfig, type LoadedConfig } from "../../../src/config/load.ts";
import { defaultConfig } from "../../../src/config/schema.ts";

/** Loads a configuration of these files in a directory of its own; file names in what comes back are relative to it. */
async function load(files: Readonly<Record<string, string | Uint8Array>>): Promise<LoadedConfig> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/conf.d`);
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${directory}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    const services = { http: 80, domain: 53 } as const;
    const loaded = await loadConfig(`${directory}/config.toml`, {
      servicePort: (name) => name === "http" || name === "domain" ? services[name] : undefined,
    });
    return { ...loaded, sources: loaded.sources.map((path) => path.slice(directory.length + 1)) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.faults.map((fault) => ({ ...fault, file: fault.file.slice(directory.length + 1) })),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function faultsOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<readonly string[]> {
  try {
    await load(files);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(formatFault);
    throw error;
  }
}

Deno.test("loadConfig takes an empty file as every default, frozen", async () => {
  const { config, warnings, sources } = await load({ "config.toml": "" });
  assert.deepEqual(config, defaultConfig());
  assert.deepEqual([warnings, sources], [[], ["config.toml"]]);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.tcp) && Object.isFrozen(config.ignore.hosts));
});

Deno.test("loadConfig lets conf.d win over the file, in name order, and reads only what ends in .toml", async () => {
  const { config, sources } = await load({
    "config.toml": '[tcp]\nmode = "stealth"\nports = [1]\n[detect]\nscan_trigger = 1\n',
    "conf.d/20-late.toml": '[tcp]\nports = ["http", "7-9"]\n',
    "conf.d/10-early.toml": "[tcp]\nports = [2]\n[detect]\nscan_trigger = 2\n",
    "conf.d/.hidden.toml": "[detect]\nscan_trigger = 5\n",
    "conf.d/30-old.toml.dpkg-old": "nonsense",
  });
  assert.deepEqual(sources, ["config.toml", "conf.d/10-early.toml", "conf.d/20-late.toml"]);
  assert.equal(config.tcp.ports.toString(), "7-9,80");
  assert.equal(config.tcp.mode, "stealth");
  assert.equal(config.detect.scan_trigger, 2);
});

Deno.test("loadConfig tells every fault of every file at once, with line, column and the name that was meant", async () => {
  const faults = await faultsOf({
    "config.toml": `# two lines in
[tcp]
mode = "advnced"
mode = "off"
ports = [1, "http", 99999,
  "nope"]
bogus == 3
[detect]
scan_triger = 3
window = 10
[detect]
count = "port"
[udp
x = 1
[block]
duration = "1d
rate = 0
`,
    "conf.d/10.toml": 'scan_trigger = 1\n[blok]\n"a".b = 1\n[log]\nlevle = "info"\n',
  });
  assert.deepEqual(faults, [
    'config.toml:3:8: tcp.mode: expected "off", "connect", "stealth" or "advanced", found "advnced"',
    'config.toml:4:1: "mode" is given twice; the first time is line 3',
    'config.toml:5:21: tcp.ports: 99999 is not a tcp port: expected 0 to 65535, a range like "5-11", or a name from /etc/services',
    'config.toml:6:3: tcp.ports: "nope" is not a tcp port: expected 0 to 65535, a range like "5-11", or a name from /etc/services',
    'config.toml:7:8: this is no value: expected text in quotes ("…"), a number, true, false, or an [array]',
    'config.toml:9:1: unknown key "scan_triger" in [detect]; did you mean "scan_trigger"?',
    'config.toml:10:10: detect.window: expected a number and a unit (s, m, h, d, w), such as "10m", found 10',
    "config.toml:11:1: [detect] is given twice; the first time is line 8",
    'config.toml:12:9: detect.count: expected "ports" or "probes", found "port"',
    'config.toml:13:5: expected key = value; a key is made of letters, digits, "-" and "_"',
    "config.toml:16:15: the closing quote of this text is missing on its line",
    "config.toml:17:8: block.rate: expected 1 to 100000 a second, found 0",
    'conf.d/10.toml:1:1: "scan_trigger" belongs in [detect]',
    "conf.d/10.toml:2:2: unknown section [blok]; did you mean [block]?",
    'conf.d/10.toml:5:1: unknown key "levle" in [log]; did you mean "level"?',
  ]);
});

Deno.test("loadConfig names the place and the expectation of a single fault", async () => {
  const rows: [text: string, fault: string][] = [
    ["[tcp]\nmodes = 1", 'config.toml:2:1: unknown key "modes" in [tcp]; did you mean "mode"?'],
    ["tcp.modes = 1", 'config.toml:1:5: unknown key "modes" in [tcp]; did you mean "mode"?'],
    ["tcp = { modes = 1 }", 'config.toml:1:9: unknown key "modes" in [tcp]; did you mean "mode"?'],
    ["[tcp]\nwindow = 1", 'config.toml:2:1: unknown key "window" in [tcp]; it belongs in [detect]'],
    [
      "[tcp]\nresponse = true",
      'config.toml:2:12: tcp.response: expected "observe", "block" or "command", found true',
    ],
    ["[[tcp]]", "config.toml:1:3: tcp: expected a table [tcp], found [{}]"],
    ["tcp = 1", "config.toml:1:7: tcp: expected a table [tcp], found 1"],
    ["[detect]\nscan_trigger = 65", "config.toml:2:16: detect.scan_trigger: expected 0 to 64, found 65"],
    ["[detect]\nscan_trigger = -1", "config.toml:2:16: detect.scan_trigger: expected 0 to 64, found -1"],
    ["[detect]\nscan_trigger = 1.5", "config.toml:2:16: detect.scan_trigger: expected 0 to 64, found 1.5"],
    [
      '[block]\nquarantine = "permanent"',
      'config.toml:2:14: block.quarantine: "permanent" is not a duration: expected a number and a unit (s, m, h, d, w), such as "10m"',
    ],
    [
      '[files]\nkeep = "1m"',
      'config.toml:2:8: files.keep: "1m" is too short: expected at least 3600 seconds',
    ],
    [
      '[files]\nhistory = "history"',
      'config.toml:2:11: files.history: expected the absolute path of a file, found "history"',
    ],
    [
      '[files]\nhistory = "/var/"',
      'config.toml:2:11: files.history: expected the absolute path of a file, found "/var/"',
    ],
    [
      '[ignore]\nprotect = ["gateways", "dns"]',
      'config.toml:2:24: ignore.protect: expected any of "own-addresses", "gateways", "resolvers", "sessions", found "dns"',
    ],
    [
      '[ignore]\nhosts = ["::1", "10.0.0.300"]',
      'config.toml:2:17: ignore.hosts: "10.0.0.300" is no IPv4 address: that is four numbers from 0 to 255',
    ],
    [
      "[actions]\nkill_route = []",
      "config.toml:2:14: actions.kill_route: expected a command line, or an array of a program and its arguments, found []",
    ],
    [
      '[actions]\nkill_hosts_deny = "a\\nb"',
      'config.toml:2:19: actions.kill_hosts_deny: expected one line of hosts.deny, found "a\\nb"',
    ],
    [
      "[log]\nlevel = 2026-01-01",
      'config.toml:2:9: log.level: expected "debug", "info", "notice", "warning" or "err", found 2026-01-01',
    ],
    [
      "[__proto__]\nx = 1",
      "config.toml:1:2: unknown section [__proto__]: expected [tcp], [udp], [detect], [ignore], [block], [actions], [files], [log]",
    ],
    ["x", 'config.toml:1:1: expected key = value, or [section]; the "=" is missing'],
  ];
  for (const [text, fault] of rows) assert.deepEqual(await faultsOf({ "config.toml": text }), [fault], text);
});

Deno.test("loadConfig reads a byte order mark and CRLF as an editor on Windows writes them", async () => {
  const { config } = await load({ "config.toml": '\ufeff[tcp]\r\nmode = "off"\r\n' });
  assert.equal(config.tcp.mode, "off");
});

Deno.test("loadConfig refuses what is no configuration, with the path and exit code 78", async () => {
  const rows: [content: Uint8Array, words: RegExp][] = [
    [new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0xff, 0xfe, 0x00]), /config\.toml:1:5: not text in UTF-8/],
    [new Uint8Array([0x23, 0xc3, 0xa9, 0x0a, 0x23, 0x20, 0xe9, 0x0a]), /config\.toml:2:3: not text in UTF-8/],
    [new Uint8Array(MAX_CONFIG_BYTES + 1).fill(0x23), /config\.toml: larger than 256 KiB; .*ignore\.files/],
  ];
  for (const [content, words] of rows) {
    await assert.rejects(load({ "config.toml": content }), (error: UserError) => {
      assert.match(error.message, words);
      return error.exitCode === EXIT.config;
    });
  }
});

/** Texts that are as long as a configuration may be, and what one of their faults says. */
const LONG: readonly (readonly [what: string, text: () => string, fault: RegExp])[] = [
  ["unknown keys", () => filled("[tcp]\n", (index) => `k${index}=1\n`), /unknown key "k0" in \[tcp\]/],
  ["unknown sections", () => filled("", (index) => `[s${index}]\n`), /unknown section \[s0\]/],
  ["one section again and again", () => filled("", () => "[tcp]\n"), /\[tcp\] is given twice/],
  ["bad ports", () => filled("tcp.ports = [", () => "1.5,") + "]", /tcp\.ports: /],
  ["ports", () => filled("tcp.ports = [", () => "1,") + "]", /tcp\.ports: /],
  ["bad hosts", () => filled("ignore.hosts = [", () => '"?",') + "]", /ignore\.hosts: /],
  ["hosts that are no text", () => filled("ignore.hosts = [", () => "1,") + "]", /ignore\.hosts: /],
  ["a key of many parts", () => `${filled("a", () => ".a")} = 1`, /a key has at most 32 parts/],
  ["empty lines and junk", () => filled("", () => "\n".repeat(40) + "?"), /expected key = value/],
  ["brackets", () => filled("a = ", () => "["), /nested/],
  ["quotes", () => filled("", () => 'a = "\n'), /closing quote/],
];

function filled(start: string, piece: (index: number) => string): string {
  const pieces = [start];
  for (let index = 0, length = start.length; length < MAX_CONFIG_BYTES - 40; index++) {
    const next = piece(index);
    pieces.push(next);
    length += next.length;
  }
  return pieces.join("").slice(0, MAX_CONFIG_BYTES - 8);
}

for (const [what, text, fault] of LONG) {
  Deno.test(`loadConfig refuses a long file of ${what} soon, with no more faults than can be read`, async () => {
    const before = process.cpuUsage();
    const faults = await faultsOf({ "config.toml": text() });
    const { user, system } = process.cpuUsage(before);
    assert.ok(faults.length > 0 && faults.length <= MAX_FAULTS + 1, `${faults.length} faults`);
    assert.match(faults.join("\n"), fault);
    assert.ok((user + system) / 1e6 < 2, `${((user + system) / 1e6).toFixed(1)} s of the processor`);
  });
}

Deno.test("loadConfig says what to do when the file is missing or a directory", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await assert.rejects(
      loadConfig(`${directory}/none.toml`),
      {
        message: `${directory}/none.toml: there is no such file; write one, or name another with -c FILE`,
        exitCode: 78,
      },
    );
    await assert.rejects(loadConfig(directory), { exitCode: 78 });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("loadConfig ends with a configuration or with faults that have a place, whatever the text", async () => {
  const words = fc.constantFrom(
    "[tcp]",
    "[",
    "]",
    "mode",
    "=",
    '"off"',
    '"',
    "'",
    '"""',
    "\n",
    " ",
    "ports",
    "[1,",
    "x",
    "#",
    "{",
    "}",
    "1",
    ".",
    "\0",
    "\\",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(words, { maxLength: 30 }).map((all) => all.join("")),
  );
  await fc.assert(
    fc.asyncProperty(text, async (any) => {
      for (const fault of await faultsOf({ "config.toml": any })) {
        assert.match(fault, /^config\.toml:\d+:\d+: ./);
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("loadConfig warns of what is allowed but hardly meant, at the place that says it", async () => {
  const { warnings } = await load({
    "config.toml": '[tcp]\nmode = "stealth"\nports = [32768, 60999, 61000, 32767]\nresponse = "command"\n',
    "conf.d/1.toml":
      '[udp]\nmode = "connect"\nports = []\nresponse = "block"\n[actions]\nfirewall = "none"\n' +
      '[block]\nduration = "2d"\nmax_duration = "1d"\n',
  });
  assert.deepEqual(warnings.map((fault) => `${fault.line}:${fault.column}: ${fault.message}`), [
    "3:9: tcp.ports traps 32768, 60999, which this host also uses for its own outgoing traffic (32768 to 60999)",
    '3:9: udp.ports is empty, so mode "connect" watches nothing',
    '4:12: tcp.response is "command", but actions.kill_run_cmd is not set, so nothing will be done',
    '4:12: udp.response is "block", but actions.firewall is "none" and neither kill_route nor kill_hosts_deny is set, so nobody is kept out',
    "9:16: block.max_duration is shorter than block.duration, so every ban is as long as max_duration",
  ]);
});

Deno.test("loadConfig warns of an ignore list that holds everybody, and of placeholders that are not filled in", async () => {
  const { warnings } = await load({
    "config.toml": '[ignore]\nhosts = ["192.0.2.0/24", "0.0.0.0/0", "::/0"]\n' +
      '[actions]\nkill_run_cmd = "/bin/echo $TARGET $PORT$ $PORTS"\nunblock_cmd = ["/bin/echo", "$MODE"]\n',
  });
  assert.deepEqual(warnings.map((fault) => `${fault.line}:${fault.column}: ${fault.message}`), [
    "4:16: actions.kill_run_cmd says $TARGET, which is not filled in; $TARGET$ is",
    "5:15: actions.unblock_cmd says $MODE, which is not filled in; $MODE$ is",
    '2:26: ignore.hosts: "0.0.0.0/0" is everybody, so no scanner is reported or banned',
    '2:39: ignore.hosts: "::/0" is everybody, so no scanner is reported or banned',
  ]);
});

Deno.test("loadConfig notes what a later file wins over, and what the mode does not look at", async () => {
  const { notes = [] } = await load({
    "config.toml": '[tcp]\nresponse = "observe"\nports = [23]\n[block]\nduration = "1h"\n' +
      '[udp]\nmode = "stealth"\nadvanced_below = 100\nexclude = [67, 68, 137, 138, 520]\n',
    "conf.d/10-debconf.toml": '\n[tcp]\nresponse = "block"\n',
    "conf.d/20-more.toml": '[tcp]\nresponse = "command"\n[block]\nduration = "1h"\n',
  });
  const told = notes.map((fault) => formatFault(fault).replaceAll(/\S*\/(config\.toml|conf\.d\/)/g, "$1"));
  assert.deepEqual(told, [
    "config.toml:2:1: tcp.response counts for nothing here: conf.d/20-more.toml:2 wins over it",
    "conf.d/10-debconf.toml:3:1: tcp.response counts for nothing here: conf.d/20-more.toml:2 wins over it",
    'config.toml:3:9: tcp.ports counts for nothing with tcp.mode = "advanced"; it is for "connect" or "stealth"',
    'config.toml:8:18: udp.advanced_below counts for nothing with udp.mode = "stealth"; it is for "advanced"',
  ]);
});

Deno.test("loadConfig does not pass over a conf.d that it cannot list", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/config.toml`, "");
    assert.deepEqual((await loadConfig(`${directory}/config.toml`)).sources, [`${directory}/config.toml`]);
    await Deno.writeTextFile(`${directory}/conf.d`, "a file");
    await assert.rejects(loadConfig(`${directory}/config.toml`), /conf\.d: cannot be listed: /);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("loadConfig stops at a bound in a file that is nothing but faults", async () => {
  const faults = await faultsOf({ "config.toml": "[tcp]\nx = 1\n".repeat(2000) });
  assert.ok(faults.length >= 20 && faults.length <= MAX_FAULTS + 1, `${faults.length} faults`);
});
