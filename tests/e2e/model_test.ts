/**
 * Whatever is done to bans, in any order: state, kernel and hosts.deny say the same as a model that fits on a page.
 *
 * `PORTSNARE_MODEL_RUNS` and `PORTSNARE_MODEL_COMMANDS` ask for more of it, `PORTSNARE_MODEL_SEED` for the same again.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ask, type Question } from "../../src/control/client.ts";
import { parsePrefix, prefixContains } from "../../src/net/prefix.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

const RUNS = Number(Deno.env.get("PORTSNARE_MODEL_RUNS") ?? 3);
const COMMANDS = Number(Deno.env.get("PORTSNARE_MODEL_COMMANDS") ?? 15);
const SEED = Number(Deno.env.get("PORTSNARE_MODEL_SEED") ?? Date.now() % 2 ** 31);

const CONFIG = {
  tcp: { response: "block" },
  block: { duration: "1h" },
  actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" },
};
/** Few, so that commands meet. */
const TARGETS = [
  ...["192.0.2.1", "192.0.2.2", "192.0.2.0/24", "192.0.2.128/25", "198.51.100.7"],
  ...["2001:db8::1", "2001:db8::2", "2001:db8::/64"],
];
const SHORT_SECONDS = 1;

/** Target → whether it will end soon by itself. */
type Model = Map<string, "long" | "short">;

/** The daemon, whichever process it is at this moment. */
class Real {
  readonly host: Host;
  daemon: Daemon;
  readonly directory: string;

  constructor(host: Host, daemon: Daemon) {
    this.host = host;
    this.daemon = daemon;
    this.directory = daemon.directory;
  }

  async ask(question: Question): Promise<readonly Record<string, unknown>[]> {
    const answers: Record<string, unknown>[] = [];
    for await (const data of ask(`${this.directory}/control.sock`, question)) {
      // The daemon answers these verbs with objects.
      answers.push(data as Record<string, unknown>);
    }
    return answers;
  }

  async restart(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.daemon.stop(signal);
    this.daemon = await Daemon.start(this.host, { config: CONFIG, directory: this.directory });
  }
}

type Command = fc.AsyncCommand<Model, Real>;

function always(): boolean {
  return true;
}

function block(target: string, length: "long" | "short"): Command {
  return {
    check: always,
    run: async (model, real) => {
      const seconds = length === "short" ? SHORT_SECONDS : 3600;
      const [change] = await real.ask({ verb: "block", target, seconds, force: false });
      assert.equal(change?.["done"], true, JSON.stringify(change));
      model.set(target, length);
    },
    toString: () => `block ${target} (${length})`,
  };
}

function unblock(target: string): Command {
  return {
    // A short ban may be over at any moment, so that either answer would be right.
    check: (model) => model.get(target) === "long",
    run: async (model, real) => {
      const [change] = await real.ask({ verb: "unblock", target });
      assert.equal(change?.["done"], true, JSON.stringify(change));
      model.delete(target);
    },
    toString: () => `unblock ${target}`,
  };
}

function unblockAll(): Command {
  return {
    check: always,
    run: async (model, real) => {
      await real.ask({ verb: "unblock", target: "all" });
      model.clear();
    },
    toString: () => "unblock --all",
  };
}

function expire(): Command {
  return {
    check: (model) => [...model.values()].includes("short"),
    run: async (model, real) => {
      const short = [...model].filter(([, length]) => length === "short").map(([target]) => target);
      await until(`${short} are over`, async () => {
        const listed = (await real.ask({ verb: "list" })).map((ban) => ban["target"]);
        return !short.some((target) => listed.includes(target));
      });
      for (const target of short) model.delete(target);
    },
    toString: () => "expire",
  };
}

function restart(signal: "SIGTERM" | "SIGKILL"): Command {
  return { check: always, run: (_, real) => real.restart(signal), toString: () => signal };
}

function flush(): Command {
  return {
    check: always,
    // Not waited for: whatever comes next meets a kernel without our table.
    run: (_, real) => real.host.out(["nft", "flush", "ruleset"]).then(() => {}),
    toString: () => "flush",
  };
}

function scribble(): Command {
  return {
    check: always,
    run: (_, real) => Deno.writeTextFile(`${real.directory}/hosts.deny`, "# mine\n", { append: true }),
    toString: () => "edit hosts.deny",
  };
}

const COMMAND: readonly fc.Arbitrary<Command>[] = [
  fc.constantFrom(...TARGETS).map((target) => block(target, "long")),
  fc.constantFrom(...TARGETS).map((target) => block(target, "long")),
  fc.constantFrom(...TARGETS).map((target) => block(target, "short")),
  fc.constantFrom(...TARGETS).map(unblock),
  fc.constantFrom(...TARGETS).map(unblock),
  fc.constant(unblockAll()),
  fc.constant(expire()),
  fc.constantFrom("SIGTERM" as const, "SIGKILL" as const).map(restart),
  fc.constant(flush()),
  fc.constant(scribble()),
];

/** Addresses that tell the targets apart, and whether the kernel's sets hold each. */
const SAMPLES = [
  ...["192.0.2.1", "192.0.2.2", "192.0.2.77", "192.0.2.200", "198.51.100.7", "198.51.100.8"],
  ...["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:1::1"],
];

async function held(host: Host): Promise<readonly string[]> {
  const results = await Promise.all(SAMPLES.map(async (address) => {
    const family = address.includes(":") ? 6 : 4;
    const there = await Promise.all(
      [`banned${family}`, `banned_net${family}`].map((set) =>
        host.run(["nft", "get", "element", "inet", "portsnare", set, `{ ${address} }`])
      ),
    );
    return there.some((result) => result.code === 0);
  }));
  return SAMPLES.filter((_, i) => results[i]);
}

function covered(targets: readonly string[]): readonly string[] {
  return SAMPLES.filter((sample) => {
    const address = parsePrefix(sample)?.address;
    return targets.some((target) => {
      const prefix = parsePrefix(target);
      return prefix !== undefined && address !== undefined && prefixContains(prefix, address);
    });
  });
}

/** `192.0.2.0/255.255.255.0`, as hosts.deny has it, and `[2001:db8::1]` as everybody else spells them. */
async function denied(directory: string): Promise<readonly string[]> {
  const text = await Deno.readTextFile(`${directory}/hosts.deny`).catch(() => "");
  const masks: Readonly<Record<string, string>> = { "255.255.255.0": "24", "255.255.255.128": "25" };
  return [...text.matchAll(/^ALL: (\S+)/gm)].map(([, target = ""]) =>
    target.replace(/\/(255\.\S+)$/, (_, mask) => `/${masks[mask]}`).replace(/\[(.*)\]/, "$1")
  ).sort();
}

async function agree(model: Model, real: Real): Promise<void> {
  await expire().run(model, real);
  const expected = [...model.keys()].sort();
  const listed = (await real.ask({ verb: "list" })).map((ban) => String(ban["target"])).sort();
  assert.deepEqual(listed, expected, "state");
  assert.deepEqual(await denied(real.directory), expected, "hosts.deny");
  let kernel: readonly string[] = [];
  await until("the kernel agrees", async () => {
    kernel = await held(real.host);
    return kernel.join() === covered(expected).join();
  }).catch(() => assert.deepEqual(kernel, covered(expected), "kernel"));
}

Deno.test(`state, kernel and hosts.deny agree whatever is done (seed ${SEED}, F6, F7)`, async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  await fc.assert(
    fc.asyncProperty(
      fc.commands([...COMMAND], { maxCommands: COMMANDS, size: "max" }),
      async (commands) => {
        await using daemon = await Daemon.start(host, { config: CONFIG });
        const real = new Real(host, daemon);
        const model: Model = new Map();
        try {
          await fc.asyncModelRun(() => ({ model, real }), commands);
          await agree(model, real);
        } finally {
          await real.daemon.stop("SIGKILL");
          await host.out(["nft", "flush", "ruleset"]);
        }
      },
    ),
    { numRuns: RUNS, seed: SEED, endOnFailure: true },
  );
});
