import assert from "node:assert/strict";
import { check } from "../../../src/cli/check.ts";
import { type CheckHost, realCheckHost } from "../../../src/cli/check/check_host.ts";
import { checkConfig, type CheckReport } from "../../../src/cli/check/report.ts";
import { parseIgnoreFile } from "../../../src/config/ignore_file.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { ConfigError, EXIT } from "../../../src/errors.ts";
import type { Listener } from "../../../src/net/listener.ts";

/** A host that has every program, serves nothing, and reads this configuration. */
function hostWith(file: unknown, parts: Partial<CheckHost> = {}): CheckHost {
  const config = configSchema(() => undefined).parse(file);
  return {
    load: () => Promise.resolve({ config, sources: ["config.toml"], warnings: [] }),
    ignoreFiles: (paths) => Promise.resolve(new Map(paths.map((path) => [path, parseIgnoreFile("", path)]))),
    readText: () => Promise.resolve(undefined),
    editFault: () => undefined,
    hasProgram: () => Promise.resolve(true),
    listeners: () => [],
    engine: ({ detect }) =>
      Promise.resolve({ engine: detect.engine === "raw" ? "raw" : "kernel", why: "it was tried" }),
    ...parts,
  };
}

async function reportOf(file: unknown, parts: Partial<CheckHost> = {}): Promise<CheckReport> {
  return await checkConfig("config.toml", hostWith(file, parts));
}

function said(report: CheckReport): readonly string[] {
  return report.findings.map(({ level, message }) => `${level}: ${message}`);
}

function listener(port: number, parts: Partial<Listener> = {}): Listener {
  return { protocol: "tcp", address: undefined, port, loopback: false, ...parts };
}

const BLOCK = { tcp: { response: "block" } };

Deno.test("checkConfig says what the configuration will do here", async () => {
  const { ok, effect } = await reportOf({
    tcp: { response: "block", advanced_below: 100 },
    udp: { mode: "off" },
    ignore: { hosts: ["10.0.0.0/8", "monitor.example"] },
    block: { duration: "1h", factor: 1 },
  }, {
    listeners: () => [
      listener(22),
      listener(80),
      listener(631),
      listener(25, { loopback: true }),
      listener(53, { protocol: "udp" }),
    ],
  });
  assert.ok(ok && effect !== undefined);
  assert.deepEqual(effect.engine, { engine: "kernel", why: "it was tried" });
  assert.deepEqual(effect.tcp, {
    mode: "advanced",
    response: "block",
    trapped: "0-21,23-79,81-99",
    count: 98,
    served: "22,80",
  });
  assert.equal(effect.udp.count, 0);
  assert.deepEqual([effect.trigger, effect.bans], ["3 distinct ports within 10m", "1h"]);
  assert.deepEqual([effect.ignoredPrefixes, effect.ignoredNames], [1, ["monitor.example"]]);
});

Deno.test("checkConfig tells which ports are served: no trap when watched, an obstacle when bound", async () => {
  const listeners = (): readonly Listener[] => [listener(79), listener(11, { loopback: true })];
  const watched = await reportOf({ tcp: { mode: "stealth", ports: [11, 79, 80] } }, { listeners });
  assert.ok(said(watched).includes("note: tcp ports 79 are served here and therefore no trap"));
  const bound = await reportOf({ tcp: { mode: "connect", ports: [11, 79, 80] } }, { listeners });
  assert.ok(
    said(bound).includes("warning: tcp ports 11,79 cannot be bound: a service has them; they are skipped"),
  );
});

Deno.test("checkConfig names what is missing and the package that has it", async () => {
  const rows: [file: unknown, missing: string[], said: string | undefined][] = [
    [BLOCK, ["nft"], "error: The kernel engine needs nft, which is not there (Debian package nftables)"],
    [
      { ...BLOCK, detect: { engine: "raw" } },
      ["nft"],
      'error: actions.firewall = "nftables" needs nft, which is not there (Debian package nftables)',
    ],
    [
      { ...BLOCK, actions: { firewall: "iptables" } },
      ["iptables"],
      'error: actions.firewall = "iptables" needs iptables, which is not there (Debian package iptables)',
    ],
    [
      { ...BLOCK, actions: { firewall: "iptables" } },
      ["ipset"],
      "note: iptables is slow with many bans without ipset, which is not there (Debian package ipset)",
    ],
    [
      { ...BLOCK, actions: { kill_route: "/sbin/route add -host $TARGET$ reject" } },
      ["/sbin/route"],
      "warning: actions.kill_route needs /sbin/route, which is not there (Debian package net-tools)",
    ],
    [
      { ...BLOCK, actions: { kill_run_cmd: ["/usr/local/bin/page", "$TARGET$"] } },
      ["/usr/local/bin/page"],
      "warning: actions.kill_run_cmd needs /usr/local/bin/page, which is not there",
    ],
    [{ ...BLOCK, actions: { kill_run_cmd: "echo $TARGET$ | mail root" } }, ["echo"], undefined],
    [
      { ...BLOCK, actions: { kill_route: "iptables -I INPUT -s $TARGET$ -j CHAOS" } },
      [],
      "warning: actions.kill_route uses CHAOS of xtables-addons, which is not installed (Debian packages " +
      "xtables-addons-dkms and xtables-addons-common)",
    ],
    [BLOCK, [], undefined],
  ];
  for (const [file, missing, expected] of rows) {
    const report = await reportOf(file, { hasProgram: (name) => Promise.resolve(!missing.includes(name)) });
    const found = said(report).filter((line) => /needs|slow|xtables/.test(line));
    assert.deepEqual(found, expected === undefined ? [] : [expected], JSON.stringify(file));
    assert.equal(report.ok, !(expected ?? "").startsWith("error"));
  }
});

Deno.test("F4: checkConfig repeats every ignore line that does nothing", async () => {
  const report = await reportOf({ ignore: { files: ["/etc/portsentry/portsentry.ignore"] } }, {
    ignoreFiles: ([path = ""]) =>
      Promise.resolve(new Map([[path, parseIgnoreFile("10.0.0.1\n10.0.0.300\n", path)]])),
  });
  assert.deepEqual(report.findings[0], {
    level: "warning",
    file: "/etc/portsentry/portsentry.ignore",
    line: 2,
    column: 1,
    message: 'this line does nothing: "10.0.0.300" is no IPv4 address: that is four numbers from 0 to 255',
  });
  assert.equal(report.effect?.ignoredPrefixes, 3);
});

Deno.test("checkConfig names the lines of hosts.allow that win over hosts.deny", async () => {
  const readText = (path: string): Promise<string | undefined> =>
    Promise.resolve(path === "/etc/hosts.allow" ? "# mine\nALL: 192.168.0.0/24\n" : undefined);
  const file = { ...BLOCK, actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" } };
  const overrides = (report: CheckReport): readonly unknown[] =>
    report.findings.filter(({ file }) => file !== undefined);
  assert.deepEqual(overrides(await reportOf(file, { readText })), [{
    level: "note",
    file: "/etc/hosts.allow",
    line: 2,
    message: '"ALL: 192.168.0.0/24" lets in whoever it names, even when hosts.deny names them too',
  }]);
  assert.deepEqual(
    overrides(await reportOf({ actions: file.actions }, { readText })),
    [],
    "nobody is banned",
  );
});

Deno.test("F1: checkConfig tells before the first ban that hosts.deny can never be written", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const hosts_deny = `${directory}/hosts.deny`;
    const file = { ...BLOCK, actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" }, files: { hosts_deny } };
    const { editFault } = realCheckHost();
    assert.deepEqual(said(await reportOf(file, { editFault })), [], "it is made at the first ban");
    await Deno.symlink(`${directory}/shadow`, hosts_deny);
    const fault = "kill_hosts_deny cannot write here: it is a symbolic link, not a regular file";
    assert.deepEqual(said(await reportOf(file, { editFault })), [`warning: ${fault}`]);
    assert.deepEqual(said(await reportOf({ ...file, actions: {} }, { editFault })), []);
    await Deno.remove(hosts_deny);
    await Deno.mkdir(hosts_deny);
    assert.match(said(await reportOf(file, { editFault })).join(), /it is a directory/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("F6: checkConfig tells whose kill_route stays when a ban ends", async () => {
  const stays =
    "note: What actions.kill_route does stays when a ban ends, because its opposite is not known; " +
    "set actions.unblock_cmd";
  for (
    const [actions, expected] of [
      [{ kill_route: "/usr/local/bin/wall $TARGET$" }, [stays]],
      [{ kill_route: "iptables -I INPUT -s $TARGET$ -j DROP && logger x" }, [stays]],
      [{ kill_route: "/sbin/route add -host $TARGET$ reject" }, []],
      [{ kill_route: "/usr/local/bin/wall $TARGET$", unblock_cmd: "true" }, []],
    ] as const
  ) assert.deepEqual(said(await reportOf({ ...BLOCK, actions })), expected, JSON.stringify(actions));
});

Deno.test("C2: checkConfig does not warn of what works otherwise than with PortSentry, and better", async () => {
  const config = configSchema(() => undefined).parse(BLOCK);
  const change = { file: "portsentry.conf", line: 5, column: 1, message: "RESOLVE_HOST: beside the block" };
  const load: CheckHost["load"] = () =>
    Promise.resolve({ config, sources: ["portsentry.conf"], warnings: [], notes: [change] });
  assert.deepEqual(said(await reportOf(BLOCK, { load })), ["note: RESOLVE_HOST: beside the block"]);
});

Deno.test("check prints text or JSON and leaves with the code that fits", async () => {
  const printed: string[] = [];
  const print = (text: string): void => void printed.push(text);
  const options = { config: "config.toml", json: false };
  assert.equal(await check(options, print, { host: hostWith(BLOCK) }), EXIT.ok);
  assert.match(printed[0] ?? "", /What it will do here:\n {2}engine +kernel \(it was tried\)/);
  assert.match(printed[0] ?? "", /tcp +advanced, 1022 ports \(0-112,114-138,140-1023\); scanners are banned/);
  assert.match(printed[0] ?? "", /This configuration can be used\.$/);
  const bare = hostWith(BLOCK, { hasProgram: () => Promise.resolve(false) });
  assert.equal(await check({ ...options, json: true }, print, { host: bare }), EXIT.unavailable);
  assert.equal(JSON.parse(printed[1] ?? "").ok, false);
  const complaints: string[] = [];
  const complain = (line: string): void => void complaints.push(line);
  assert.equal(await check(options, print, { host: bare, complain }), EXIT.unavailable);
  assert.deepEqual(complaints.splice(0), [
    "The kernel engine needs nft, which is not there (Debian package nftables)",
  ]);
  assert.match(printed[2] ?? "", /^Read config\.toml\n[^]*\nThis configuration cannot be used as it is\.$/);
  const wrong = hostWith(BLOCK, {
    load: () => Promise.reject(new ConfigError([{ file: "c", line: 3, column: 1, message: "unknown key" }])),
  });
  assert.equal(await check(options, print, { host: wrong, complain }), EXIT.config);
  assert.deepEqual(complaints, ["c:3:1: unknown key"]);
  assert.equal(printed.length, 3, "a configuration that is wrong does nothing here");
});

Deno.test("checkConfig says why the daemon would not start, and what could not be tried", async () => {
  const failure = "Cannot load our ruleset with nft: no";
  const failed = await reportOf(BLOCK, {
    engine: () => Promise.resolve({ engine: "raw", why: "x", failure }),
  });
  assert.equal(failed.ok, false);
  assert.ok(said(failed).includes(`error: ${failure}`));
  const untried = await reportOf(BLOCK, { engine: () => Promise.resolve({ engine: "unknown", why: "x" }) });
  assert.equal(untried.ok, true);
  assert.match(said(untried).join(), /note: Only root can try/);
});

Deno.test("realCheckHost finds programs by name and by path, and reads the example configuration", async () => {
  const host = realCheckHost();
  assert.equal(await host.hasProgram("sh"), true);
  assert.equal(await host.hasProgram("/bin/sh"), true);
  assert.equal(await host.hasProgram("no-such-program"), false);
  assert.equal(await host.hasProgram("/etc/passwd"), false);
  const report = await checkConfig(new URL("../../../config.example.toml", import.meta.url).pathname, host);
  assert.equal(report.configWrong, false);
});
