import assert from "node:assert/strict";
import { EXIT, UserError } from "../../../src/errors.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import { addLine, createSetArgv, deleteLine, failedLine, parseSet } from "../../../src/respond/ipset.ts";
import { IptablesBackend } from "../../../src/respond/iptables.ts";
import { hasRule, parseRules, restoreText, setRule } from "../../../src/respond/iptables_rules.ts";
import type { Exec, ExecResult } from "../../../src/system/exec.ts";
import { prefix } from "../../lab/addresses.ts";

const DONE: ExecResult = { code: 0, stdout: "", stderr: "", timedOut: false };

Deno.test("addLine and deleteLine speak ipset's language", () => {
  for (
    const [target, seconds, line] of [
      ["192.0.2.1", 60, "add portsnare4 192.0.2.1 timeout 60"],
      ["192.0.2.1", 0.2, "add portsnare4 192.0.2.1 timeout 1"],
      ["192.0.2.1", undefined, "add portsnare4 192.0.2.1 timeout 0"],
      ["192.0.2.0/24", 2_147_483, "add portsnare4 192.0.2.0/24 timeout 2147483"],
      ["192.0.2.0/24", 2_147_484, "add portsnare4 192.0.2.0/24 timeout 0"],
      ["2001:db8::/64", 1, "add portsnare6 2001:db8::/64 timeout 1"],
    ] as const
  ) assert.equal(addLine({ target: prefix(target), seconds }), line);
  assert.equal(deleteLine(prefix("2001:db8::1")), "del portsnare6 2001:db8::1");
  assert.match(
    createSetArgv(6).join(" "),
    /^ipset -exist create portsnare6 hash:net family inet6 timeout 0 /,
  );
});

Deno.test("parseSet reads what ipset saved and passes over anything else", () => {
  const listing = "create portsnare4 hash:net family inet hashsize 1024 maxelem 65536 timeout 0\n" +
    "add portsnare4 192.0.2.0/24 timeout 0\nadd portsnare6 2001:db8::1 timeout 77\nadd other 192.0.2.9 timeout 1\n" +
    "add portsnare4 nonsense timeout 3\n";
  assert.deepEqual(
    parseSet(listing).map((ban) => [formatPrefix(ban.target), ban.seconds]),
    [["192.0.2.0/24", undefined], ["2001:db8::1", 77]],
  );
});

Deno.test("failedLine finds the line that ipset refused", () => {
  assert.deepEqual(
    failedLine("ipset v7.17: Error in line 2: Syntax error: 'x' is out of range 0-2147483\n"),
    {
      index: 1,
      error: "Syntax error: 'x' is out of range 0-2147483",
    },
  );
  assert.equal(failedLine("ipset v7.17: Kernel error received: Operation not permitted"), undefined);
});

Deno.test("restoreText is one transaction", () => {
  assert.equal(
    restoreText("-A", [prefix("192.0.2.1"), prefix("2001:db8::/32")]),
    "*filter\n-A PORTSNARE -s 192.0.2.1/32 -j DROP\n-A PORTSNARE -s 2001:db8::/32 -j DROP\nCOMMIT\n",
  );
});

Deno.test("parseRules and hasRule read what iptables lists", () => {
  const listing =
    "-N PORTSNARE\n-A PORTSNARE -s 192.0.2.1/32 -j DROP\n-A PORTSNARE -s 192.0.2.0/24 -j ACCEPT\n" +
    "-A PORTSNARE -m set --match-set portsnare4 src -j DROP\n-A OTHER -s 192.0.2.3/32 -j DROP\n";
  assert.deepEqual(parseRules(listing, 4).map(formatPrefix), ["192.0.2.1"]);
  assert.equal(hasRule(listing, "PORTSNARE", setRule("portsnare4")), true);
  assert.equal(hasRule(listing, "PORTSNARE", setRule("portsnare6")), false);
});

Deno.test("IptablesBackend.setup names the Debian package that is missing, with exit code 69", async () => {
  const exec: Exec = () =>
    Promise.resolve({ ...DONE, code: 127, notStarted: "not-found", stderr: "Failed to spawn 'iptables'" });
  await assert.rejects(new IptablesBackend({ exec, hasIpv6: () => true }).setup(), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.exitCode, EXIT.unavailable);
    assert.match(error.message, /iptables is not installed; install the Debian package iptables/);
    return true;
  });
});

Deno.test("IptablesBackend.setup tells a missing privilege from a missing program", async () => {
  const exec: Exec = (argv) =>
    Promise.resolve({
      ...DONE,
      code: argv[0] === "ipset" ? 1 : 4,
      stderr:
        "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
    });
  await assert.rejects(
    new IptablesBackend({ exec, hasIpv6: () => true }).setup(),
    (error) => error instanceof UserError && error.exitCode === EXIT.permission,
  );
});

Deno.test("IptablesBackend leaves ip6tables alone where the kernel has no IPv6", async () => {
  const programs: string[] = [];
  const exec: Exec = (argv) => {
    programs.push(argv.join(" "));
    return Promise.resolve(DONE);
  };
  const backend = new IptablesBackend({ exec, hasIpv6: () => false });
  await backend.setup();
  await backend.check();
  await backend.list();
  assert.ok(!programs.some((command) => /ip6tables|portsnare6/.test(command)), programs.join("\n"));
});

Deno.test("IptablesBackend goes without sets when ipset is missing or iptables cannot match them", async () => {
  for (const broken of [/^ipset /, /--match-set/]) {
    const programs: string[] = [];
    const exec: Exec = (argv) => {
      programs.push(argv[0] ?? "");
      return Promise.resolve(broken.test(argv.join(" ")) ? { ...DONE, code: 2, stderr: "no" } : DONE);
    };
    const backend = new IptablesBackend({ exec, hasIpv6: () => true });
    await backend.setup();
    programs.length = 0;
    const [outcome] = await backend.block([{ target: prefix("198.51.100.1"), seconds: 5 }]);
    assert.equal(outcome?.ok, true, String(broken));
    assert.ok(programs.length > 0 && !programs.includes("ipset"), programs.join(" "));
  }
});

Deno.test("F1: IptablesBackend stops refusing one by one when ipset refuses everything", async () => {
  let calls = 0;
  const exec: Exec = () => {
    calls++;
    return Promise.resolve({ ...DONE, code: 1, stderr: "ipset v7.17: Error in line 1: Hash is full" });
  };
  const backend = new IptablesBackend({ exec, hasIpv6: () => true });
  const bans = Array.from(
    { length: 500 },
    (_, n) => ({ target: prefix(`198.18.${n >> 8}.${n & 255}`), seconds: 5 }),
  );
  const outcomes = await backend.block(bans);
  assert.ok(outcomes.every((outcome) => !outcome.ok));
  assert.ok(calls < 20, `${calls} calls`);
});
