/** docs/portsentry.md: every number of the contract has a row, and every test that it names is there. @module */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;
const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/portsentry.md`);

/** A test that the document names. */
interface Citation {
  /** Its file. */
  readonly path: string;
  /** Its name; … stands for what is filled in. */
  readonly name: string;
}

/** Paths in code spans, each with one or more names in typographic quotes behind it. */
function citations(text: string): readonly Citation[] {
  return [...text.matchAll(/`((?:tests|scripts)\/[\w/.]+)`((?:,? “[^”]+”)+)/g)].flatMap((
    [, path = "", names = ""],
  ) => [...names.matchAll(/“([^”]+)”/g)].map(([, name = ""]) => ({ path, name })));
}

/** Whether a line of the file holds the name, with anything short of a quotation in place of each …. */
function names(source: string, name: string): boolean {
  const pieces = name.split("…").map((piece) => piece.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(pieces.join("[^\\n]*")).test(source);
}

/** The rows of the tables whose first cell is this number. */
function rowsOf(number: string): readonly string[] {
  return DOCUMENT.split("\n").filter((line) => line.startsWith(`| ${number} |`));
}

Deno.test("docs/portsentry.md has one row for every C and F number, with a test in it", () => {
  const numbers = [
    ...Array.from({ length: 24 }, (_, index) => `C${index + 1}`),
    ...Array.from({ length: 25 }, (_, index) => `F${index + 1}`),
  ];
  for (const number of numbers) {
    const rows = rowsOf(number);
    assert.equal(rows.length, 1, `${number}: write one row`);
    assert.ok(citations(rows[0] ?? "").length > 0, `${number}: name the test that proves it`);
  }
});

Deno.test("docs/portsentry.md has a row for every option of PortSentry", async () => {
  const { OPTION_NAMES } = await import("../../src/config/portsentry/option_file.ts");
  for (const option of OPTION_NAMES) {
    assert.match(DOCUMENT, new RegExp(`^\\|[^|]*\`${option}\``, "m"), `${option}: write a row`);
  }
});

/** What PortSentry 1.2 and 2 take on their command line, keep on disk and say in the log, in words that are theirs. */
const PORTSENTRY = {
  "option of the command line": [
    ...[
      "-tcp",
      "-udp",
      "-stcp",
      "-sudp",
      "-atcp",
      "-audp",
      "--stealth",
      "--connect",
      "--method",
      "--interface",
    ],
    ...["-l", "-c", "-D", "--disable-local-check", "--disable-service-check", "-d", "-v", "-h", "-V"],
  ],
  "file": [
    ...["/etc/portsentry/portsentry.conf", "/etc/default/portsentry", "/etc/portsentry/portsentry.ignore"],
    ...[
      ".static",
      "portsentry.history",
      "portsentry.blocked.*",
      "/tmp/portsentry.blocked",
      "/etc/hosts.deny",
    ],
    ...["/etc/hosts.allow", "/etc/init.d/portsentry", "portsentry.service", "/var/log/portsentry.log"],
    ...["portsentry-add-ip", "-rm-ip", "-build-ignore-file", "/etc/ppp/ip-up.d/portsentry"],
  ],
  "log line": [
    ...[
      "is starting",
      "Going into listen mode",
      "Advanced mode will monitor first",
      "will manually exclude port",
    ],
    ...["Ignored TCP port", "could not bind TCP socket", "is in use and will not be monitored"],
    ...["is now active and listening.", "securityalert:` and `adminalert: PortSentry is shutting down"],
    ...["Connect from host:", "SYN/Normal scan from host:", "NULL scan", "XMAS scan", "FIN scan", "UDP scan"],
    ...["Unknown Type: TCP Packet Flags:", "has IP options set", "is already blocked Ignoring"],
    ...["is already blocked. Ignoring", "response per configuration file setting", "blocked via wrappers"],
    ...["via dropped route using command", "External command run for host", "Could not block host"],
    ...["accept failed", "cannot open ignore file. Blocking host anyway.", "Illegal IP header length"],
    ...["No target variable specified in KILL_ROUTE", "(exec fail)", "Scan from: [IP]"],
  ],
} as const;

for (const [what, all] of Object.entries(PORTSENTRY)) {
  Deno.test(`docs/portsentry.md has every ${what} of PortSentry`, () => {
    const rows = DOCUMENT.split("\n").filter((line) => line.startsWith("|")).map((line) =>
      what === "option of the command line" ? line.split("|")[1] ?? "" : line
    );
    assert.deepEqual(all.filter((text) => !rows.some((row) => row.includes(text))), []);
  });
}

Deno.test("docs/portsentry.md names only tests that are there", async () => {
  const cited = citations(DOCUMENT);
  assert.ok(cited.length > 100, `only ${cited.length} were understood`);
  const missing: string[] = [];
  for (const { path, name } of cited) {
    const source = await Deno.readTextFile(`${ROOT}${path}`).catch(() => "");
    if (!names(source, name)) missing.push(`${path} “${name}”`);
  }
  assert.deepEqual(missing, []);
});

Deno.test("docs/portsentry.md ends every row of a table that has tests with at least one of them", () => {
  const rows = DOCUMENT.split("\n").filter((line) => /^\| (?!No\.|---)/.test(line));
  const without = rows.filter((row) =>
    !/^\|[^|]*\| Test \|$|Test \|$/.test(row) && citations(row).length === 0
  );
  assert.deepEqual(without, []);
});
