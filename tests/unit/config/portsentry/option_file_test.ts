import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isPortsentryConf,
  OPTION_NAMES,
  type OptionName,
  parseOptionFile,
} from "../../../../src/config/portsentry/option_file.ts";

/** The value of an option after reading `text`. */
function read(text: string, name: OptionName): string | undefined {
  return parseOptionFile(text, "p.conf").options.get(name)?.value;
}

Deno.test("C1: parseOptionFile reads a line as PortSentry 1.2 does", () => {
  const rows: [text: string, name: OptionName, value: string | undefined][] = [
    ['BLOCK_TCP="1"', "BLOCK_TCP", "1"],
    ['RESOLVE_HOST = "1"', "RESOLVE_HOST", "1"],
    ['RESOLVE_HOST ="1" # said', "RESOLVE_HOST", "1"],
    ['BLOCK_TCP=1 "2"', "BLOCK_TCP", "2"],
    ['BLOCK_TCP   anything "2"', "BLOCK_TCP", "2"],
    // The value ends at the next quote, so a command cannot hold one; single quotes are fine.
    ['KILL_RUN_CMD="echo \\"a\\" b"', "KILL_RUN_CMD", "echo \\"],
    [`KILL_RUN_CMD="logger 'a b' && true"`, "KILL_RUN_CMD", "logger 'a b' && true"],
    // … or at the first byte that is not printable, or at the end of the line.
    ['PORT_BANNER="go\taway"', "PORT_BANNER", "go"],
    ['PORT_BANNER="gr\u00fc\u00df"', "PORT_BANNER", "gr"],
    ['PORT_BANNER="open end', "PORT_BANNER", "open end"],
    ['PORT_BANNER="dos"\r', "PORT_BANNER", "dos"],
    ['PORT_BANNER=""', "PORT_BANNER", ""],
    // The first line wins, even when it is broken.
    ['BLOCK_TCP="1"\nBLOCK_TCP="2"', "BLOCK_TCP", "1"],
    ['BLOCK_TCP=1\nBLOCK_TCP="2"', "BLOCK_TCP", undefined],
    // Only a # in the first column makes a comment.
    ['#BLOCK_TCP="1"', "BLOCK_TCP", undefined],
    [' BLOCK_TCP="1"', "BLOCK_TCP", undefined],
    ['#         BLOCK_TCP="1"', "BLOCK_TCP", undefined],
    [' #BLOCK_TCP="1"', "BLOCK_TCP", undefined],
    ['BLOCK_TCP\t="1"', "BLOCK_TCP", undefined],
    ['block_tcp="1"', "BLOCK_TCP", undefined],
    // The name is looked for anywhere, what follows it where it would be in the first column.
    ['           KILL_ROUTE="x"', "KILL_ROUTE", "x"],
    // A longer name is another option.
    ['KILL_RUN_CMD_FIRST="1"', "KILL_RUN_CMD", undefined],
    ['KILL_RUN_CMD_FIRST = "1"', "KILL_RUN_CMD_FIRST", "1"],
    // Lines are cut at 1023 bytes; a C string ends at a zero byte.
    [`PORT_BANNER="${"x".repeat(1020)}"`, "PORT_BANNER", "x".repeat(1010)],
    [`${"x".repeat(1023)}BLOCK_TCP="1"`, "BLOCK_TCP", "1"],
    ['BLOCK_TCP="1\0"', "BLOCK_TCP", "1"],
    ['\0BLOCK_TCP="1"', "BLOCK_TCP", undefined],
  ];
  for (const [text, name, value] of rows) {
    assert.equal(read(text, name), value, JSON.stringify(text.slice(0, 60)));
  }
});

Deno.test("C2: parseOptionFile knows all 18 options of 1.2, in either spelling", () => {
  assert.equal(OPTION_NAMES.length, 18);
  for (const spelling of ["=", " = "]) {
    const text = OPTION_NAMES.map((name, index) => `${name}${spelling}"${index}"`).join("\n");
    const { options, faults } = parseOptionFile(text, "p.conf");
    assert.deepEqual([...options].map(([name, { value, line }]) => [name, value, line]), [
      ...OPTION_NAMES.map((name, index) => [name, String(index), index + 1]),
    ]);
    assert.deepEqual(faults, []);
  }
});

Deno.test("parseOptionFile says of every line that has no effect why, and where", () => {
  const text = [
    "# a comment",
    'BLOCK_TCP="1"',
    'BLOCK_TCP="2"',
    ' BLOCK_UDP="1"',
    'SCAN_TRIGER="1"',
    'NONSENSE="1"',
    "just words",
    "RESOLVE_HOST = 1",
    'BLOCK_UDP\t="1"',
    "",
  ].join("\n");
  assert.deepEqual(parseOptionFile(text, "p.conf").faults.map((fault) => `${fault.line}: ${fault.message}`), [
    "3: this line does nothing: PortSentry takes the first BLOCK_TCP, which is line 2",
    "4: this line does nothing: BLOCK_UDP must begin at the start of the line",
    "5: unknown option SCAN_TRIGER; did you mean SCAN_TRIGGER?",
    "6: unknown option NONSENSE, which does nothing",
    "7: this line does nothing: it is neither a comment nor an option",
    "8: RESOLVE_HOST is skipped: its value must stand in double quotes",
    '9: this line does nothing: "\\t" may not stand before "="',
  ]);
});

Deno.test("parseOptionFile reads back any printable value of any option", () => {
  const value = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
    maxLength: 80,
  })
    .map((text) => text.replaceAll('"', "'"));
  fc.assert(
    fc.property(
      fc.constantFrom(...OPTION_NAMES),
      value,
      fc.constantFrom("=", " = ", " ="),
      (name, text, equals) => {
        assert.equal(read(`# ${name}="no"\n${name}${equals}"${text}"\n`, name), text);
      },
    ),
  );
});

Deno.test("parseOptionFile takes any bytes without an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    for (const fault of parseOptionFile(new TextDecoder("latin1").decode(bytes), "p.conf").faults) {
      assert.ok(fault.line >= 1);
    }
  }));
});

Deno.test("isPortsentryConf tells PortSentry's file from TOML by name or by content", () => {
  const rows: [path: string, text: string, is: boolean][] = [
    ["/etc/portsentry/portsentry.conf", "", true],
    ["/etc/portsnare/config.toml", 'TCP_PORTS="1"', false],
    ["/tmp/x", 'TCP_PORTS="1"', true],
    ["/tmp/x", 'RESOLVE_HOST = "1"', true],
    ["/tmp/x", "[tcp]\nports = [1] # TCP_PORTS", false],
    ["/tmp/x", "", false],
  ];
  for (const [path, text, is] of rows) assert.equal(isPortsentryConf(path, text), is, `${path}: ${text}`);
});
