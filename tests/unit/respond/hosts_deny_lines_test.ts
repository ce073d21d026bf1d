import assert from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix } from "../../../src/net/prefix.ts";
import {
  clientPattern,
  denyLine,
  markedTargets,
  withEntries,
  withoutTargets,
} from "../../../src/respond/hosts_deny_lines.ts";
import { prefix } from "../../lab/addresses.ts";

const STOCK = "ALL: $TARGET$ : DENY";

function entry(text: string, template = STOCK) {
  const target = prefix(text);
  return { target, line: denyLine(template, { target, port: 1, mode: "tcp" }) };
}

Deno.test("clientPattern writes addresses and prefixes as hosts_access(5) has them", () => {
  for (
    const [text, pattern] of [
      ["192.168.1.104", "192.168.1.104"],
      ["192.0.2.0/24", "192.0.2.0/255.255.255.0"],
      ["128.0.0.0/1", "128.0.0.0/128.0.0.0"],
      ["0.0.0.0/0", "0.0.0.0/0.0.0.0"],
      ["192.0.2.6/31", "192.0.2.6/255.255.255.254"],
      ["2001:db8::1", "[2001:db8::1]"],
      ["2001:db8::/64", "[2001:db8::]/64"],
    ] as const
  ) assert.equal(clientPattern(prefix(text)), pattern);
});

Deno.test("denyLine keeps the template and puts IPv6 in brackets exactly once", () => {
  const values = { port: 7, mode: "atcp" } as const;
  for (
    const [template, target, line] of [
      [STOCK, "192.168.1.104", "ALL: 192.168.1.104 : DENY"],
      [STOCK, "2001:db8::1", "ALL: [2001:db8::1] : DENY"],
      ["ALL: [$TARGET$]", "2001:db8::1", "ALL: [2001:db8::1]"],
      ["ALL: [$TARGET$]", "192.0.2.1", "ALL: 192.0.2.1"],
      ["ALL: $TARGET$ # Portsentry blocked", "192.0.2.1", "ALL: 192.0.2.1 # Portsentry blocked"],
      ["sshd: $TARGET$, $TARGET$ $PORT$ $MODE$", "192.0.2.1", "sshd: 192.0.2.1, 192.0.2.1 7 atcp"],
    ] as const
  ) assert.equal(denyLine(template, { ...values, target: prefix(target) }), line, template);
});

Deno.test("withEntries adds at the end and never glues its line to the one before", () => {
  const added = "# Banned by portsnare: 192.0.2.1\nALL: 192.0.2.1 : DENY\n";
  for (
    const [before, after] of [
      ["", added],
      ["# comment\n", `# comment\n${added}`],
      ["sshd: 10.0.0.1", `sshd: 10.0.0.1\n${added}`],
      ["sshd: 10.0.0.1 \\\n", `sshd: 10.0.0.1 \\\n\n${added}`],
      ["sshd: 10.0.0.1 \\", `sshd: 10.0.0.1 \\\n\n${added}`],
      ["\n", `\n${added}`],
    ] as const
  ) assert.equal(withEntries(before, [entry("192.0.2.1")]), after, JSON.stringify(before));
});

Deno.test("F7: withEntries writes no line twice, neither ours nor the administrator's", () => {
  const once = withEntries("", [entry("192.0.2.1"), entry("192.0.2.1")]);
  assert.equal(once.match(/^ALL: 192\.0\.2\.1 : DENY$/gm)?.length, 1);
  assert.equal(withEntries(once, [entry("192.0.2.1")]), once);
  const admins = "ALL: 192.0.2.1 : DENY\n";
  assert.equal(withEntries(admins, [entry("192.0.2.1")]), admins);
});

Deno.test("F5: 10.77.0.1 is written although 110.77.0.1 and 10.77.0.10 are there", () => {
  const both = withEntries("", [entry("110.77.0.1"), entry("10.77.0.10")]);
  assert.match(withEntries(both, [entry("10.77.0.1")]), /^ALL: 10\.77\.0\.1 : DENY$/m);
});

Deno.test("withoutTargets removes our pair and nothing of the administrator's", () => {
  const admin = "# mine\nALL: 192.0.2.1 : DENY\nsshd: ALL EXCEPT 10.0.0.0/8\n";
  const both = withEntries(admin, [entry("192.0.2.1"), entry("192.0.2.2"), entry("2001:db8::1")]);
  assert.equal(both.match(/192\.0\.2\.1/g)?.length, 1, "it was there already");
  assert.equal(withoutTargets(both, [prefix("192.0.2.1")]), both, "and is not ours");
  assert.equal(withoutTargets(both, [prefix("192.0.2.2"), prefix("2001:db8::1")]), admin);
});

Deno.test("withoutTargets spares a line that somebody put behind our comment", () => {
  const edited = "# Banned by portsnare: 192.0.2.1\nsshd: 10.0.0.1\nALL: 192.0.2.1 : DENY\n";
  assert.equal(withoutTargets(edited, [prefix("192.0.2.1")]), "sshd: 10.0.0.1\nALL: 192.0.2.1 : DENY\n");
  assert.deepEqual(markedTargets(edited), []);
});

Deno.test("withoutTargets releases a ban that an earlier template wrote", () => {
  const old = withEntries("", [entry("192.0.2.1", "sshd: $TARGET$")]);
  assert.equal(withoutTargets(old, [prefix("192.0.2.1")]), "");
});

Deno.test("hosts.deny: what is added and removed leaves any contents as they were", () => {
  const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
  const contents = fc.array(fc.oneof(byte, fc.constantFrom("\n", "\\\n", "ALL: 192.0.2.1 : DENY\n")), {
    maxLength: 60,
  }).map((parts) => parts.join(""));
  const octets = fc.uniqueArray(fc.integer({ min: 1, max: 254 }), { maxLength: 6 });
  fc.assert(fc.property(contents, octets, octets, (before, added, removed) => {
    const entries = added.map((octet) => entry(`192.0.2.${octet}`));
    const after = withEntries(before, entries);
    assert.ok(after.startsWith(before));
    assert.equal(withEntries(after, entries), after, "idempotent");
    for (const { line } of entries) assert.ok(after.split("\n").some((there) => there.trim() === line));
    const rest = withoutTargets(after, removed.map((octet) => prefix(`192.0.2.${octet}`)));
    assert.ok(rest.startsWith(before));
    const left = markedTargets(rest).map(formatPrefix);
    for (const octet of removed) assert.ok(!left.includes(`192.0.2.${octet}`));
    for (const target of markedTargets(after).map(formatPrefix)) {
      assert.equal(left.includes(target), !removed.map((octet) => `192.0.2.${octet}`).includes(target));
    }
  }));
});
