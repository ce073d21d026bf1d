import assert from "node:assert/strict";
import { type ActionsConfig, defaultConfig } from "../../../src/config/schema.ts";
import type { Decision } from "../../../src/detect/decision.ts";
import { parseAddress } from "../../../src/net/address.ts";
import { hostPrefix } from "../../../src/net/prefix.ts";
import type { Outcome } from "../../../src/respond/backend.ts";
import { type BlockRequest, Responder, type ResponderConfig } from "../../../src/respond/responder.ts";
import type { Exec } from "../../../src/system/exec.ts";
import { FakeBackend } from "./fake_backend.ts";
import { prefix } from "../../lab/addresses.ts";

/** Everything that was done, in order: commands, changes of hosts.deny as the commands see them, calls of the backend. */
interface Scene extends Disposable {
  readonly responder: Responder;
  readonly backend: FakeBackend;
  readonly path: string;
  /** The commands as they began, each with whether its target stood in hosts.deny at that moment. */
  readonly commands: string[];
  readonly config: ResponderConfig;
}

function scene(actions: Partial<ActionsConfig>, exec?: Exec): Scene {
  const directory = Deno.makeTempDirSync({ prefix: "portsnare-responder-" });
  const path = `${directory}/hosts.deny`;
  const defaults = defaultConfig();
  const config: ResponderConfig = {
    ...defaults,
    actions: { ...defaults.actions, ...actions },
    files: { ...defaults.files, hosts_deny: path },
  };
  const backend = new FakeBackend();
  const commands: string[] = [];
  const recording: Exec = async (argv, options) => {
    const text = argv.join(" ").replace(/^\/bin\/sh -c /, "");
    const address = /\d+\.\d+\.\d+\.\d+/.exec(text)?.[0] ?? "?";
    commands.push(`${text}${denied(path).includes(address) ? " (in hosts.deny)" : ""}`);
    return await (exec ?? succeed)(argv, options);
  };
  const responder = new Responder({ config, backend, exec: recording, sleep: () => Promise.resolve() });
  return {
    responder,
    backend,
    path,
    commands,
    config,
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

const succeed: Exec = () => Promise.resolve({ code: 0, stdout: "", stderr: "", timedOut: false });

function denied(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function request(source: string, response: BlockRequest["response"] = "block"): BlockRequest {
  const address = parseAddress(source);
  if (address === undefined) throw new Error(`Not an address: ${source}`);
  const decision: Decision = {
    verdict: "block",
    reason: "distinct-ports",
    ports: 3,
    probes: 3,
    probe: {
      time: 0,
      source: address,
      dest: address,
      protocol: "udp",
      port: 161,
      sourcePort: 4,
      scan: "udp",
      flags: 0,
      hasOptions: false,
    },
  };
  return { target: hostPrefix(address), seconds: 60, response, decision };
}

function told(outcomes: readonly Outcome[] | undefined): readonly string[] {
  return (outcomes ?? []).map((outcome) => `${outcome.action} ${outcome.ok ? "ok" : outcome.error}`);
}

/** Whether the failure among these outcomes is final. */
function isFinal(outcomes: readonly Outcome[] | undefined): boolean {
  const failed = (outcomes ?? []).find((outcome) => !outcome.ok);
  assert.ok(failed !== undefined && !failed.ok);
  return failed.isFinal === true;
}

const ALL: Partial<ActionsConfig> = {
  kill_route: "route $TARGET$",
  kill_hosts_deny: "ALL: $TARGET$ : DENY",
  kill_run_cmd: "run $TARGET$ $PORT$ $MODE$",
};

Deno.test("C12: Responder answers in PortSentry's order: hosts.deny, route, command; the firewall before all", async () => {
  using it = scene(ALL);
  const pending = it.responder.block([request("192.0.2.1")]);
  assert.deepEqual(it.backend.calls, ["block 192.0.2.1"], "before block returns");
  const [outcomes] = await pending;
  assert.deepEqual(told(outcomes), ["nftables ok", "kill_hosts_deny ok", "kill_route ok", "kill_run_cmd ok"]);
  assert.deepEqual(it.commands, [
    "route 192.0.2.1 (in hosts.deny)",
    "run 192.0.2.1 161 audp (in hosts.deny)",
  ]);
});

Deno.test("C12: with kill_run_cmd_first the command is over before hosts.deny and route begin", async () => {
  let ended = false;
  using it = scene({ ...ALL, kill_run_cmd_first: true }, async (argv) => {
    if (argv.at(-1)?.startsWith("run")) {
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      ended = true;
    } else assert.ok(ended);
    return await succeed(argv, { timeoutMs: 0 });
  });
  const pending = it.responder.block([request("192.0.2.1")]);
  assert.deepEqual(it.backend.calls, ["block 192.0.2.1"], "the firewall does not wait for it");
  const [outcomes] = await pending;
  assert.deepEqual(told(outcomes), ["nftables ok", "kill_run_cmd ok", "kill_hosts_deny ok", "kill_route ok"]);
  assert.deepEqual(it.commands, ["run 192.0.2.1 161 audp", "route 192.0.2.1 (in hosts.deny)"]);
});

Deno.test("C12: response command runs kill_run_cmd and nothing else", async () => {
  using it = scene(ALL);
  const outcomes = await it.responder.block([request("192.0.2.1", "command"), request("192.0.2.2")]);
  assert.deepEqual(told(outcomes[0]), ["kill_run_cmd ok"]);
  assert.deepEqual(told(outcomes[1]), [
    "nftables ok",
    "kill_hosts_deny ok",
    "kill_route ok",
    "kill_run_cmd ok",
  ]);
  assert.deepEqual(it.backend.calls, ["block 192.0.2.2"]);
  assert.doesNotMatch(denied(it.path), /192\.0\.2\.1\b/);
  assert.ok(!it.commands.some((command) => command.startsWith("route 192.0.2.1")));
});

Deno.test("C16: with nothing configured a ban is the firewall's alone, and a command response does nothing", async () => {
  using it = scene({});
  assert.deepEqual((await it.responder.block([request("192.0.2.1")])).map(told), [["nftables ok"]]);
  assert.deepEqual(await it.responder.block([request("192.0.2.2", "command")]), [[]]);
  assert.deepEqual(it.commands, []);
  await assert.rejects(Deno.stat(it.path), Deno.errors.NotFound);
});

Deno.test("Responder tells the firewall of all sources of a batch at once", async () => {
  using it = scene({});
  await it.responder.block(["192.0.2.1", "192.0.2.2", "2001:db8::1"].map((source) => request(source)));
  assert.deepEqual(it.backend.calls, ["block 192.0.2.1 192.0.2.2 2001:db8::1"]);
});

Deno.test("Responder fills in port 0 and the TCP mode where a person asked for the ban", async () => {
  using it = scene({ kill_run_cmd: "run $TARGET$ $PORT$ $MODE$" });
  await it.responder.block([{ target: prefix("192.0.2.0/24"), seconds: undefined, response: "block" }]);
  assert.deepEqual(it.commands, ["run 192.0.2.0/24 0 atcp"]);
});

Deno.test("F1: Responder reports what failed as failed and does the rest all the same", async () => {
  using it = scene(ALL, () => Promise.resolve({ code: 127, stdout: "", stderr: "sh: no", timedOut: false }));
  it.backend.failures = 99;
  Deno.mkdirSync(it.path);
  const [outcomes] = await it.responder.block([request("192.0.2.1")]);
  assert.deepEqual(told(outcomes), [
    "nftables refused",
    `kill_hosts_deny Cannot change ${it.path}: it is a directory, not a regular file`,
    "kill_route exit status 127: sh: no",
    "kill_run_cmd exit status 127: sh: no",
  ]);
});

Deno.test("F6: Responder.release takes back firewall, hosts.deny and what kill_route did", async () => {
  using it = scene({ ...ALL, kill_route: "/sbin/iptables -I INPUT -s $TARGET$ -j DROP" });
  await it.responder.block([request("192.0.2.1"), request("192.0.2.2")]);
  it.commands.length = 0;
  const outcomes = await it.responder.release([prefix("192.0.2.1")]);
  assert.deepEqual(outcomes.map(told), [["nftables ok", "kill_hosts_deny ok", "kill_route ok"]]);
  assert.equal(it.commands.length, 1);
  assert.match(it.commands[0] ?? "", /^\/sbin\/iptables -D INPUT -s 192\.0\.2\.1 -j DROP/);
  assert.deepEqual([...it.backend.banned.keys()], ["192.0.2.2"]);
  assert.doesNotMatch(denied(it.path), /192\.0\.2\.1\b/);
  assert.match(denied(it.path), /^ALL: 192\.0\.2\.2 : DENY$/m);
});

Deno.test("F1 F6: Responder.release does not take a rule for gone because its target is unknown now", async () => {
  const stderr = "iptables v1.8.9 (nf_tables): Chain 'CHAOS' does not exist";
  using it = scene(
    { kill_route: "/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS" },
    () => Promise.resolve({ code: 2, stdout: "", stderr, timedOut: false }),
  );
  const [made, never] = [prefix("192.0.2.1"), prefix("192.0.2.2")];
  const command = "/sbin/iptables -I INPUT -s 192.0.2.1 -j CHAOS";
  const outcomes = await it.responder.release(
    [made, never],
    (target) => target === made ? command : undefined,
  );
  assert.match(told(outcomes[0])[1] ?? "", /^kill_route exit status 2: .*xtables-addons-common$/);
  assert.equal(isFinal(outcomes[0]), false, "the package may come back");
  assert.deepEqual(told(outcomes[1]), ["nftables ok", "kill_route ok"]);
});

Deno.test("F6: Responder.release takes back what was done, though kill_route is another command now, or none", async () => {
  const drop = "/sbin/iptables -I INPUT -s 192.0.2.1 -p tcp --dport 23 -j DROP";
  const undone = "/sbin/iptables -D INPUT -s 192.0.2.1 -p tcp --dport 23 -j DROP";
  for (
    const kill_route of [
      "/sbin/iptables -I INPUT -s $TARGET$ -p tcp --dport $PORT$ -j DROP",
      "/sbin/route add -host $TARGET$ reject",
      undefined,
    ]
  ) {
    using it = scene({ kill_route });
    const [outcomes] = await it.responder.release([prefix("192.0.2.1")], () => drop);
    assert.deepEqual(told(outcomes), ["nftables ok", "kill_route ok"]);
    assert.deepEqual(it.commands, [undone]);
  }
});

Deno.test("F6: Responder.release keeps the words of a list apart", async () => {
  const kill_route = [
    "iptables",
    "-I",
    "INPUT",
    "-s",
    "$TARGET$",
    "-m",
    "comment",
    "--comment",
    "a b",
    "-j",
    "DROP",
  ];
  const argvs: (readonly string[])[] = [];
  using it = scene({ kill_route }, (argv, options) => {
    argvs.push(argv);
    return succeed(argv, options);
  });
  await it.responder.release(
    [prefix("192.0.2.1")],
    () => kill_route.join(" ").replace("$TARGET$", "192.0.2.1"),
  );
  assert.deepEqual(argvs, [
    kill_route.map((word) => ({ "-I": "-D", "$TARGET$": "192.0.2.1" })[word] ?? word),
  ]);
});

Deno.test("F1: Responder.release says that it does not know how to take a command back", async () => {
  using it = scene({ kill_route: "/usr/local/bin/wall $TARGET$" });
  const [made, never] = [prefix("192.0.2.1"), prefix("192.0.2.2")];
  const outcomes = await it.responder.release(
    [made, never],
    (target) => target === made ? "/usr/local/bin/wall 192.0.2.1" : undefined,
  );
  assert.match(told(outcomes[0])[1] ?? "", /^kill_route what it did stays, .* set actions\.unblock_cmd$/);
  assert.equal(isFinal(outcomes[0]), true);
  assert.deepEqual(told(outcomes[1]), ["nftables ok"]);
  assert.deepEqual(it.commands, []);
});

Deno.test("F6: Responder.release runs unblock_cmd where there is one, and only that", async () => {
  using it = scene({ kill_route: "iptables -A X -s $TARGET$", unblock_cmd: "undo $TARGET$" });
  await it.responder.block([request("192.0.2.1")]);
  const outcomes = await it.responder.release([prefix("192.0.2.1")]);
  assert.deepEqual(outcomes.map(told), [["nftables ok", "unblock_cmd ok"]]);
  assert.deepEqual(it.commands.slice(1), ["undo 192.0.2.1"]);
});

Deno.test("Responder.release tries nothing again that the administrator wrote, nor where nothing was done", async () => {
  const exec: Exec = () => Promise.resolve({ code: 4, stdout: "", stderr: "xtables lock", timedOut: false });
  for (
    const [actions, routed, expected] of [
      [
        { kill_route: "iptables -A X -s $TARGET$", unblock_cmd: "undo $TARGET$" },
        "iptables -A X -s 192.0.2.1",
        true,
      ],
      [{ kill_route: "iptables -A X -s $TARGET$" }, undefined, true],
      [{ kill_route: "iptables -A X -s $TARGET$" }, "iptables -A X -s 192.0.2.1", false],
    ] as const
  ) {
    using it = scene(actions, exec);
    const [outcomes] = await it.responder.release([prefix("192.0.2.1")], () => routed);
    assert.equal(isFinal(outcomes), expected, JSON.stringify(actions));
  }
});

Deno.test("Responder.release of many refuses no command for want of room", async () => {
  using it = scene({ unblock_cmd: "undo $TARGET$" });
  const targets = Array.from({ length: 300 }, (_, n) => prefix(`198.18.${n >> 8}.${n & 255}`));
  const outcomes = await it.responder.release(targets);
  assert.ok(outcomes.flat().every((outcome) => outcome.ok));
  assert.equal(it.commands.length, 300);
});

Deno.test("Responder.restore makes firewall and hosts.deny agree with the bans, without running commands", async () => {
  using it = scene(ALL);
  await it.responder.block([request("192.0.2.1")]);
  it.commands.length = 0;
  using restarted = scene(ALL);
  for (const [target, seconds] of it.backend.banned) restarted.backend.banned.set(target, seconds);
  restarted.backend.banned.set("192.0.2.66", 5);
  Deno.copyFileSync(it.path, restarted.path);
  const failed = await restarted.responder.restore([{ target: prefix("192.0.2.2"), seconds: 30 }]);
  assert.deepEqual(failed, []);
  assert.deepEqual([...restarted.backend.banned], [["192.0.2.2", 30]]);
  assert.doesNotMatch(denied(restarted.path), /192\.0\.2\.1\b/);
  assert.match(denied(restarted.path), /^ALL: 192\.0\.2\.2 : DENY$/m);
  assert.deepEqual(restarted.commands, []);
});

Deno.test("Responder.restore does not sweep away a ban that is being made", async () => {
  using it = scene(ALL);
  const making = it.responder.block([request("192.0.2.1")]);
  await it.responder.restore([]);
  await making;
  await it.responder.restore([]);
  assert.deepEqual([...it.backend.banned.keys()], ["192.0.2.1"]);
  assert.match(denied(it.path), /^ALL: 192\.0\.2\.1 : DENY$/m);
});

Deno.test("Responder.reconfigure follows another configuration and still releases what the old one made", async () => {
  using it = scene(ALL);
  await it.responder.block([request("192.0.2.1")]);
  const config = { ...it.config, actions: { ...defaultConfig().actions, kill_run_cmd: "new $TARGET$" } };
  const backend = new FakeBackend();
  it.responder.reconfigure({ config, backend });
  await it.responder.block([request("192.0.2.2")]);
  assert.deepEqual([...backend.banned.keys()], ["192.0.2.2"]);
  assert.equal(it.commands.at(-1), "new 192.0.2.2");
  await it.responder.release([prefix("192.0.2.1")]);
  assert.doesNotMatch(denied(it.path), /192\.0\.2\.1\b/);
});

Deno.test("Responder moves its lines when the configuration names another hosts.deny, and back", async () => {
  using it = scene({ kill_hosts_deny: "ALL: $TARGET$ : DENY" });
  await Deno.writeTextFile(it.path, "sshd: 198.51.100.1\n");
  await it.responder.block([request("192.0.2.1")]);
  const other = `${it.path}.other`;
  const config = { ...it.config, files: { ...it.config.files, hosts_deny: other } };
  const bans = [{ target: prefix("192.0.2.1"), seconds: 60 }];
  it.responder.reconfigure({ config, backend: it.backend });
  assert.deepEqual(await it.responder.restore(bans), []);
  assert.equal(denied(it.path), "sshd: 198.51.100.1\n", "what is not ours stays");
  assert.match(denied(other), /^ALL: 192\.0\.2\.1 : DENY/m);
  it.responder.reconfigure({ config: it.config, backend: it.backend });
  it.responder.reconfigure({ config, backend: it.backend });
  assert.deepEqual(await it.responder.restore(bans), []);
  assert.match(denied(other), /^ALL: 192\.0\.2\.1 : DENY/m, "a file that is used again is not left");
});

Deno.test("Responder with dryRun runs no command and does not touch hosts.deny", async () => {
  using it = scene(ALL);
  const exec: Exec = () => Promise.reject(new Error("a command was run"));
  const responder = new Responder({ config: it.config, backend: it.backend, exec, dryRun: true });
  await it.responder.block([request("192.0.2.9")]);
  const before = denied(it.path);
  assert.deepEqual((await responder.block([request("192.0.2.1")])).map(told), [["nftables ok"]]);
  assert.deepEqual(await responder.block([request("192.0.2.2", "command")]), [[]]);
  assert.deepEqual(await responder.restore([{ target: prefix("192.0.2.3"), seconds: 5 }]), []);
  assert.deepEqual((await responder.release([prefix("192.0.2.9")])).map(told), [["nftables ok"]]);
  assert.equal(denied(it.path), before);
});
