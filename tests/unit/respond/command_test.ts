import assert from "node:assert/strict";
import { hostPrefix, parsePrefix } from "../../../src/net/prefix.ts";
import type { Command } from "../../../src/config/schema.ts";
import { ipv4Address } from "../../../src/net/address.ts";
import { CommandRunner } from "../../../src/respond/command.ts";
import type { Exec, ExecResult } from "../../../src/system/exec.ts";

const VALUES = {
  target: parsePrefix("192.0.2.7") ?? hostPrefix(ipv4Address(0)),
  port: 23,
  mode: "stcp",
} as const;
const DONE: ExecResult = { code: 0, stdout: "", stderr: "", timedOut: false };

function runner(exec: Exec): CommandRunner {
  return new CommandRunner({ exec, timeoutSeconds: 7 });
}

function answering(result: Partial<ExecResult>): Exec {
  return () => Promise.resolve({ ...DONE, ...result });
}

Deno.test("CommandRunner gives the filled-in command, its time limit and its outcome", async () => {
  const calls: unknown[] = [];
  const commands = runner((argv, options) => {
    calls.push([argv, options.timeoutMs]);
    return Promise.resolve(DONE);
  });
  assert.deepEqual(await commands.run("kill_route", "drop $TARGET$", VALUES), {
    ok: true,
    action: "kill_route",
    detail: "drop 192.0.2.7",
  });
  assert.deepEqual(calls, [[["/bin/sh", "-c", "drop 192.0.2.7"], 7000]]);
});

Deno.test("F1: CommandRunner calls every command that did not end with 0 failed", async () => {
  for (
    const [result, error] of [
      [{ code: 1 }, "exit status 1"],
      [
        { code: 127, stderr: "sh: 1: /no/such/cmd: not found\n" },
        "exit status 127: sh: 1: /no/such/cmd: not found",
      ],
      [{ code: 256 }, "exit status 256"],
      [{ code: 137, signal: "SIGKILL" }, "ended by SIGKILL"],
      [{ code: 143, signal: "SIGTERM", timedOut: true }, "ended because it ran longer than its time limit"],
      [{ code: 127, notStarted: "not-found", stderr: "Failed to spawn 'x'" }, "Failed to spawn 'x'"],
    ] as const
  ) {
    const outcome = await runner(answering(result)).run("kill_route", "x $TARGET$", VALUES);
    assert.deepEqual(outcome, { ok: false, action: "kill_route", error, detail: "x 192.0.2.7" });
  }
});

Deno.test("C11: kill_route without $TARGET$ is skipped and says so; kill_run_cmd needs none", async () => {
  let calls = 0;
  const commands = runner(() => {
    calls++;
    return Promise.resolve(DONE);
  });
  const outcome = await commands.run("kill_route", "route add -host 1.2.3.4 reject", VALUES);
  assert.deepEqual(outcome, {
    ok: false,
    action: "kill_route",
    error: "No target variable specified in KILL_ROUTE option. Skipping.",
  });
  assert.equal(calls, 0);
  assert.equal((await commands.run("kill_run_cmd", "logger scan", VALUES)).ok, true);
});

Deno.test("CommandRunner runs four at once, lets 64 wait and refuses the rest aloud", async () => {
  const ends: ((result: ExecResult) => void)[] = [];
  let most = 0;
  let running = 0;
  const commands = runner(async () => {
    most = Math.max(most, ++running);
    const result = await new Promise<ExecResult>((resolve) => ends.push(resolve));
    running--;
    return result;
  });
  const outcomes = Array.from({ length: 70 }, () => commands.run("kill_run_cmd", "x", VALUES));
  const refused = await Promise.all(outcomes.slice(68));
  for (const outcome of refused) {
    assert.equal(outcome.ok, false);
    assert.match(outcome.ok ? "" : outcome.error, /not run: 64 commands are waiting/);
  }
  for (let ended = 0; ended < 68; ended++) {
    while (ends.length <= ended) await Promise.resolve();
    ends[ended]?.(DONE);
  }
  assert.ok((await Promise.all(outcomes.slice(0, 68))).every((outcome) => outcome.ok));
  assert.equal(most, 4);
});

Deno.test("C13: a CHAOS rule that iptables does not know names the packages to install", async () => {
  const chaos = "/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS";
  for (
    const stderr of [
      "iptables v1.8.9 (nf_tables): Chain 'CHAOS' does not exist\nTry `iptables -h'",
      "iptables v1.8.9 (legacy): Couldn't load target `CHAOS':No such file or directory",
      "Warning: Extension CHAOS revision 0 not supported, missing kernel module?\niptables: RULE_INSERT failed",
      "iptables: No chain/target/match by that name.",
    ]
  ) {
    const outcome = await runner(answering({ code: 2, stderr })).run("kill_route", chaos, VALUES);
    assert.match(outcome.ok ? "" : outcome.error, /xtables-addons-dkms and xtables-addons-common/, stderr);
  }
  const drop = await runner(answering({ code: 1, stderr: "iptables: No chain/target/match by that name." }))
    .run("kill_route", "iptables -I NOSUCH -s $TARGET$ -j DROP", VALUES);
  assert.doesNotMatch(drop.ok ? "" : drop.error, /xtables-addons/);
  const denied = await runner(answering({ code: 4, stderr: "Permission denied (you must be root)" }))
    .run("kill_route", chaos, VALUES);
  assert.doesNotMatch(denied.ok ? "" : denied.error, /xtables-addons/);
});

Deno.test("F1: CommandRunner names the Debian package of a program that is not there", async () => {
  const errorOf = async (command: Command, result: Partial<ExecResult>): Promise<string> => {
    const outcome = await runner(answering(result)).run("kill_route", command, VALUES);
    return outcome.ok ? "" : outcome.error;
  };
  const route = "/sbin/route add -host $TARGET$ reject";
  for (
    const stderr of [
      "/bin/sh: 1: /sbin/route: not found",
      "sh: line 1: /sbin/route: No such file or directory",
      "bash: /sbin/route: No such file or directory",
    ]
  ) assert.match(await errorOf(route, { code: 127, stderr }), /; install the Debian package net-tools$/);
  const notStarted = { code: 127, notStarted: "not-found" } as const;
  assert.match(await errorOf(["iptables", "-I", "INPUT", "-s", "$TARGET$"], notStarted), /package iptables$/);
  const own = "/usr/local/sbin/iptables -I INPUT -s $TARGET$";
  assert.doesNotMatch(
    await errorOf(own, { code: 127, stderr: "/bin/sh: 1: /usr/local/sbin/iptables: not found" }),
    /Debian/,
    "no package puts it there",
  );
  assert.doesNotMatch(await errorOf(route, { code: 1, stderr: "route: Network is unreachable" }), /Debian/);
});

Deno.test("F12: CommandRunner says of iptables and route that they are for IPv4, and has nothing to undo of theirs", async () => {
  const target = parsePrefix("2001:db8::9");
  assert.ok(target !== undefined);
  const six = { ...VALUES, target };
  const stderr = "iptables v1.8.9 (nf_tables): host/network `2001:db8::9' not found";
  for (
    const program of ["/sbin/iptables -I INPUT -s", "iptables-legacy -I INPUT -s", "/sbin/route add -host"]
  ) {
    const command = `${program} $TARGET$ -j DROP`;
    const failed = await runner(answering({ code: 2, stderr })).run("kill_route", command, six);
    assert.match(failed.ok ? "" : failed.error, /is for IPv4 only/, program);
    assert.equal(
      (await runner(answering({ code: 2, stderr })).run("undo_kill_route", command, six)).ok,
      true,
    );
    const four = await runner(answering({ code: 2, stderr })).run("undo_kill_route", command, VALUES);
    assert.equal(four.ok, false, program);
  }
  const own = await runner(answering({ code: 2, stderr })).run("kill_route", "ip6tables -s $TARGET$", six);
  assert.doesNotMatch(own.ok ? "" : own.error, /IPv4/);
});

Deno.test("CommandRunner counts an undoing that finds nothing as done, and tells it as kill_route's", async () => {
  const gone = answering({
    code: 1,
    stderr: "iptables: Bad rule (does a matching rule exist in that chain?).",
  });
  const undone = await runner(gone).run("undo_kill_route", "iptables -D INPUT -s $TARGET$ -j DROP", VALUES);
  assert.deepEqual([undone.ok, undone.action], [true, "kill_route"]);
  const asked = await runner(gone).run("unblock_cmd", "iptables -D INPUT -s $TARGET$ -j DROP", VALUES);
  assert.equal(asked.ok, false, "the administrator's own command is judged by its status alone");
});
