/**
 * The administrator's commands, run for real: the recipes of PortSentry's users, and commands that misbehave.
 * @module
 */
import assert from "node:assert/strict";
import { type ActionsConfig, defaultConfig } from "../../src/config/schema.ts";
import type { Outcome } from "../../src/respond/backend.ts";
import { NoBackend } from "../../src/respond/none.ts";
import { Responder } from "../../src/respond/responder.ts";
import { type Exec, run } from "../../src/system/exec.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { prefix } from "../lab/addresses.ts";

interface Scene {
  readonly responder: Responder;
  readonly directory: string;
  readonly denyFile: string;
}

function execIn(host: Host): Exec {
  return async (argv, options) => await run(["ip", "netns", "exec", host.namespace, ...argv], options);
}

async function withActions(
  actions: Partial<ActionsConfig>,
  body: (scene: Scene) => Promise<void>,
  exec: Exec = run,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-actions-" });
  try {
    const defaults = defaultConfig();
    const denyFile = `${directory}/hosts.deny`;
    const config = {
      ...defaults,
      actions: { ...defaults.actions, ...actions },
      files: { ...defaults.files, hosts_deny: denyFile },
    };
    await body({ responder: new Responder({ config, backend: new NoBackend(), exec }), directory, denyFile });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function block(responder: Responder, target: string): Promise<ReadonlyMap<string, Outcome>> {
  const [outcomes] = await responder.block([{ target: prefix(target), seconds: 60, response: "block" }]);
  return new Map((outcomes ?? []).map((outcome) => [outcome.action, outcome]));
}

function errorOf(outcome: Outcome | undefined): string {
  return outcome === undefined || outcome.ok ? "" : outcome.error;
}

async function answers(from: Host, to: string): Promise<boolean> {
  return (await from.run(["ping", "-n", "-c", "1", "-W", "1", to])).code === 0;
}

Deno.test("seed 001 (Se protéger), F6: KILL_ROUTE with iptables -j DROP keeps the scanner out, and its release lets it in again", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  const scanner = await lab.host();
  const actions = { kill_route: "/sbin/iptables -I INPUT -s $TARGET$ -j DROP" };
  await withActions(actions, async ({ responder }) => {
    assert.ok(await answers(scanner, victim.ipv4), "control");
    const outcomes = await block(responder, scanner.ipv4);
    assert.equal(outcomes.get("kill_route")?.ok, true);
    assert.match(
      await victim.out(["iptables", "-S", "INPUT"]),
      new RegExp(`-A INPUT -s ${scanner.ipv4}/32 -j DROP`),
    );
    assert.equal(await answers(scanner, victim.ipv4), false);
    for (let again = 0; again < 2; again++) {
      const released = (await responder.release([prefix(scanner.ipv4)])).flat();
      assert.ok(released.every((outcome) => outcome.ok), JSON.stringify(released));
    }
    assert.equal(await victim.out(["iptables", "-S", "INPUT"]), "-P INPUT ACCEPT\n");
    assert.ok(await answers(scanner, victim.ipv4));
  }, execIn(victim));
});

Deno.test("seeds 000 and 003 (Debian11), C13: KILL_ROUTE with -j CHAOS runs as it is; without xtables-addons the packages are named", async () => {
  await using lab = await Lab.create();
  const victim = await lab.host();
  for (const program of ["/sbin/iptables", "/usr/sbin/iptables-nft", "/usr/sbin/iptables-legacy"]) {
    await withActions({ kill_route: `${program} -I INPUT -s $TARGET$ -j CHAOS` }, async ({ responder }) => {
      const outcome = (await block(responder, "192.0.2.1")).get("kill_route");
      assert.equal(outcome?.ok, false);
      assert.equal(outcome?.detail, `${program} -I INPUT -s 192.0.2.1 -j CHAOS`);
      assert.match(errorOf(outcome), /xtables-addons-dkms and xtables-addons-common/);
    }, execIn(victim));
  }
  // With a chain of that name, which is what xtables-addons' target is to the rule, the very same command works.
  await victim.out(["iptables", "-N", "CHAOS"]);
  await withActions({ kill_route: "/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS" }, async ({ responder }) => {
    assert.equal((await block(responder, "192.0.2.1")).get("kill_route")?.ok, true);
    assert.match(await victim.out(["iptables", "-S", "INPUT"]), /-s 192\.0\.2\.1\/32 -j CHAOS/);
  }, execIn(victim));
});

Deno.test("C11, C12: kill_run_cmd sees hosts.deny and route as the order says, through a shell and without one", async () => {
  const script =
    'echo "$1 $2 $3 $(grep -c "^ALL: $1 : DENY$" "$4" 2>/dev/null || true) $(cat "$5" 2>/dev/null)" > "$6"';
  for (const [first, seen] of [[false, "192.0.2.7 0 atcp 1 routed"], [true, "192.0.2.7 0 atcp"]] as const) {
    for (const shell of [true, false]) {
      const directory = await Deno.makeTempDir({ prefix: "portsnare-order-" });
      const files = [`${directory}/hosts.deny`, `${directory}/routed`, `${directory}/out`];
      await Deno.writeTextFile(`${directory}/kill`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const words = [`${directory}/kill`, "$TARGET$", "$PORT$", "$MODE$", ...files];
      const defaults = defaultConfig();
      const responder = new Responder({
        config: {
          ...defaults,
          files: { ...defaults.files, hosts_deny: files[0] ?? "" },
          actions: {
            ...defaults.actions,
            kill_hosts_deny: "ALL: $TARGET$ : DENY",
            kill_route: `: $TARGET$ && echo routed > ${files[1]}`,
            kill_run_cmd: shell ? words.join(" ") : words,
            kill_run_cmd_first: first,
          },
        },
        backend: new NoBackend(),
        exec: run,
      });
      const outcomes = await block(responder, "192.0.2.7");
      assert.ok([...outcomes.values()].every((outcome) => outcome.ok), JSON.stringify([...outcomes]));
      const out = (await Deno.readTextFile(files[2] ?? "")).trim().replace(/ 0?$/, "");
      assert.equal(out, seen, `kill_run_cmd_first ${first}, shell ${shell}`);
      await Deno.remove(directory, { recursive: true });
    }
  }
});

/** Commands that misbehave, what is to be said of them, and what they leave running if they are let. */
const HOSTILE: Readonly<Record<string, { readonly command: string; readonly error: RegExp | undefined }>> = {
  "hangs": { command: "sleep MARK", error: /longer than its time limit/ },
  "hangs and ignores SIGTERM": {
    command: "trap '' TERM INT HUP; sleep MARK; sleep MARK",
    error: /longer than its time limit/,
  },
  "forks children that hang": {
    command: "for n in 1 2 3 4 5; do (trap '' TERM; sleep MARK; sleep MARK) & done; wait",
    error: /longer than its time limit/,
  },
  "prints without end": { command: "yes", error: /longer than its time limit/ },
  "prints without end to stderr": { command: "yes >&2", error: /longer than its time limit/ },
  "prints a gigabyte and fails": {
    command: "head -c 1073741824 /dev/zero; echo no luck >&2; exit 9",
    error: /exit status 9: no luck/,
  },
  "does not exist": { command: "/no/such/cmd $TARGET$", error: /exit status 127: .*not found/ },
  "kills itself": { command: "kill -9 $$", error: /SIGKILL/ },
  "closes its output and goes on": {
    command: "exec >&- 2>&-; sleep MARK",
    error: /longer than its time limit/,
  },
  "reads its standard input": { command: "cat", error: undefined },
};

for (const [what, { command, error }] of Object.entries(HOSTILE)) {
  Deno.test(`F1: a kill_run_cmd that ${what} is told as what it is, and delays no ban`, async () => {
    const mark = `987.${Deno.pid}${Math.floor(performance.now())}`;
    const actions = {
      kill_run_cmd: command.replaceAll("MARK", mark),
      kill_hosts_deny: "ALL: $TARGET$ : DENY",
      timeout: error !== undefined && /limit/.test(error.source) ? 1 : 120,
    };
    await withActions(actions, async ({ responder, denyFile }) => {
      const pending = block(responder, "192.0.2.1");
      await until(
        "the ban is made",
        async () => (await readIfThere(denyFile)).includes("ALL: 192.0.2.1 : DENY"),
      );
      const outcomes = await pending;
      assert.equal(outcomes.get("kill_hosts_deny")?.ok, true);
      const outcome = outcomes.get("kill_run_cmd");
      assert.equal(outcome?.ok, error === undefined, JSON.stringify(outcome));
      if (error !== undefined) assert.match(errorOf(outcome), error);
      assert.ok(errorOf(outcome).length < 500);
      await until("nothing of it is left running", async () => !(await running(mark)));
    });
  });
}

Deno.test("commands that hang hold up four others at most, refuse what is too much aloud, and all end", async () => {
  await withActions({ kill_run_cmd: "sleep 100", timeout: 1 }, async ({ responder }) => {
    const requests = Array.from({ length: 80 }, (_, n) => ({
      target: prefix(`198.18.0.${n}`),
      seconds: 60,
      response: n < 8 ? "command" as const : "block" as const,
    }));
    const [some, rest] = [requests.slice(0, 8), requests.slice(8)];
    const first = responder.block(some);
    const others = responder.block(rest);
    const errors = (await first).flat().map(errorOf);
    assert.equal(errors.filter((error) => /time limit/.test(error)).length, 8);
    const refused = (await others).flat().map(errorOf).filter((error) => /not run: 64 commands/.test(error));
    assert.equal(refused.length, 80 - 4 - 64);
  });
});

async function readIfThere(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}

/** Whether a process has this text in its command line. */
async function running(text: string): Promise<boolean> {
  for await (const entry of Deno.readDir("/proc")) {
    if (/^\d+$/.test(entry.name) && (await readIfThere(`/proc/${entry.name}/cmdline`)).includes(text)) {
      return true;
    }
  }
  return false;
}
