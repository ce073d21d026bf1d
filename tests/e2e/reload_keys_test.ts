/**
 * Every key of the configuration, one after the other: what a change does when the configuration is read anew. A key
 * that is not here fails the test; one that waits for a restart has to be named by the log.
 */
import assert from "node:assert/strict";
import type { SourceView } from "../../src/control/views.ts";
import { KEY_DOCS } from "../../src/config/schema.ts";
import { until } from "../lab/lab.ts";
import { ReloadScene, type Sections } from "../lab/reload_scene.ts";

/** A key, what it is changed from and to, and whether the change can be seen. */
interface Row {
  readonly from: unknown;
  readonly to: unknown;
  /** More keys that the effect needs, before and after. */
  readonly beside?: Sections;
  /** False before, true after. */
  readonly effect: (scene: ReloadScene) => Promise<boolean>;
}

const BLOCK: Sections = { tcp: { response: "block" } };
const ADVANCED: Sections = { tcp: { mode: "advanced" }, udp: { mode: "advanced" } };
/** The first address that the scene sends from is 100.64.0.1. */
const SOURCES = "100.64.0.0/10";
/** The second host of a lab. */
const STRANGER = "10.77.0.2";

const touches = (name: string) => ["/usr/bin/touch", `DIRECTORY/${name}.$TARGET$`];

const isBanned =
  (protocol: "tcp" | "udp", ports: readonly number[]) => async (scene: ReloadScene): Promise<boolean> =>
    await scene.ban(protocol, ports) !== undefined;

const makes = (name: string) => async (scene: ReloadScene): Promise<boolean> => {
  const { address } = await scene.block();
  return await exists(scene.path(`${name}.${address}`));
};

/** Seconds of the second ban of a source. */
const secondBan = (seconds: number) => async (scene: ReloadScene): Promise<boolean> => {
  const source = scene.source();
  await scene.ban("tcp", [21], source);
  await scene.unblock(source);
  return (await scene.ban("tcp", [21], source))?.["seconds"] === seconds;
};

const chain = (pattern: RegExp) => async (scene: ReloadScene): Promise<boolean> =>
  pattern.test(await scene.target.out(["nft", "list", "table", "inet", "portsnare"]));

const ROWS: Readonly<Record<string, Row>> = {
  "tcp.mode": { from: "stealth", to: "advanced", effect: (scene) => scene.tells("tcp", 700) },
  "tcp.ports": { from: [21], to: [21, 22], effect: (scene) => scene.tells("tcp", 22) },
  "tcp.advanced_below": {
    from: 100,
    to: 800,
    beside: ADVANCED,
    effect: (scene) => scene.tells("tcp", 700),
  },
  "tcp.exclude": { from: [700], to: [], beside: ADVANCED, effect: (scene) => scene.tells("tcp", 700) },
  "tcp.response": { from: "observe", to: "block", effect: isBanned("tcp", [21]) },
  "udp.mode": { from: "stealth", to: "advanced", effect: (scene) => scene.tells("udp", 700) },
  "udp.ports": { from: [99], to: [99, 98], effect: (scene) => scene.tells("udp", 98) },
  "udp.advanced_below": {
    from: 100,
    to: 800,
    beside: ADVANCED,
    effect: (scene) => scene.tells("udp", 700),
  },
  "udp.exclude": { from: [700], to: [], beside: ADVANCED, effect: (scene) => scene.tells("udp", 700) },
  "udp.response": { from: "observe", to: "block", effect: isBanned("udp", [99]) },
  "detect.engine": {
    from: "kernel",
    to: "raw",
    effect: async (scene) =>
      (await scene.target.out(["ss", "-0lnp"])).includes(`pid=${scene.daemon.process.pid},`),
  },
  "detect.position": {
    from: "before-firewall",
    to: "after-firewall",
    effect: chain(/hook input priority (filter \+ )?10;/),
  },
  "detect.scan_trigger": { from: 3, to: 0, beside: BLOCK, effect: isBanned("tcp", [21]) },
  "detect.count": {
    from: "ports",
    to: "probes",
    beside: { ...BLOCK, detect: { scan_trigger: 3 } },
    effect: isBanned("tcp", [21, 21, 21]),
  },
  "detect.window": {
    from: "10m",
    to: "1s",
    effect: async (scene) => {
      const source = scene.send("tcp", [21]);
      await scene.daemon.line("it is told", (line) => line["source"] === source);
      const isForgotten = async () => {
        const sources = await scene.ask<SourceView>({ verb: "top" });
        return sources.every(({ address }) => address !== source);
      };
      return await scene.soon(isForgotten, 2.5) ?? false;
    },
  },
  "detect.grace": {
    from: "10m",
    to: "0s",
    effect: async (scene) => {
      const service = scene.target.inside(() => Deno.listen({ hostname: "::", port: 21 }));
      const isTrapped = async () => (await scene.status()).tcp.ports.split(", ").includes("21");
      await until("the service is known", async () => !(await isTrapped()), 5);
      service.close();
      return await scene.soon(isTrapped, 2.5) ?? false;
    },
  },
  "detect.sctp": { from: false, to: true, effect: (scene) => scene.tells("sctp", 21) },
  "detect.icmp": { from: false, to: true, effect: (scene) => scene.tells("icmp", 0) },
  "detect.max_sources": {
    from: 262144,
    to: 1024,
    effect: async (scene) => {
      let last = "";
      for (let i = 0; i < 1200; i++) last = scene.send("tcp", [21]);
      await scene.daemon.line("the last is told", (line) => line["source"] === last);
      return (await scene.status()).sources.tracked <= 1024;
    },
  },
  "detect.resolve_host": {
    from: false,
    to: true,
    beside: BLOCK,
    effect: async (scene) =>
      (await scene.ban("tcp", [21], scene.stranger.ipv4))?.["hostname"] === "scanner.example",
  },
  "ignore.hosts": { from: [], to: [SOURCES], effect: async (scene) => !(await scene.inHistory()).found },
  "ignore.files": {
    from: [],
    to: ["DIRECTORY/ignored"],
    effect: async (scene) => !(await scene.inHistory()).found,
  },
  "ignore.protect": {
    from: ["own-addresses"],
    to: [],
    effect: async (scene) => (await scene.status()).protected.length === 0,
  },
  "ignore.session_ports": {
    from: [22],
    to: [2222],
    beside: { ignore: { protect: ["sessions"] } },
    effect: async (scene) =>
      (await scene.status()).protected.some(({ address }) => address === scene.stranger.ipv4),
  },
  "block.duration": {
    from: "1h",
    to: "2h",
    effect: async (scene) => {
      const { address } = await scene.block();
      return (await scene.target.out(["nft", "list", "set", "inet", "portsnare", "banned4"]))
        .includes(`${address} timeout 2h`);
    },
  },
  "block.factor": { from: 1, to: 3, beside: BLOCK, effect: secondBan(10_800) },
  "block.max_duration": {
    from: "4w",
    to: "90m",
    beside: { ...BLOCK, block: { factor: 3 } },
    effect: secondBan(5400),
  },
  "block.max_active": {
    from: 1000,
    to: 1,
    beside: BLOCK,
    effect: async (scene) => {
      await scene.ban("tcp", [21]);
      return await scene.ban("tcp", [21]) === undefined;
    },
  },
  "block.rate": {
    from: 2000,
    to: 1,
    beside: BLOCK,
    effect: async (scene) => {
      const before = (await scene.status()).bans.refused;
      for (let i = 0; i < 20; i++) scene.send("tcp", [21]);
      return await scene.soon(async () => (await scene.status()).bans.refused > before) ?? false;
    },
  },
  "block.quarantine": {
    from: "0s",
    to: "9s",
    beside: { ...BLOCK, detect: { scan_trigger: 3 } },
    effect: async (scene) => {
      const source = scene.send("tcp", [21]);
      return await scene.soon(async () =>
        (await scene.target.run(["nft", "list", "set", "inet", "portsnare", "quarantined4"])).stdout.includes(
          source,
        ) ||
        undefined
      ) ?? false;
    },
  },
  "actions.firewall": {
    from: "nftables",
    to: "route",
    effect: async (scene) => {
      const { address } = await scene.block();
      return (await scene.target.out(["ip", "route", "show", "type", "blackhole"])).includes(address);
    },
  },
  "actions.kill_route": { from: undefined, to: touches("route"), effect: makes("route") },
  "actions.kill_hosts_deny": {
    from: undefined,
    to: "ALL: $TARGET$ : DENY",
    effect: async (scene) => {
      const { address } = await scene.block();
      return scene.read("hosts.deny").includes(address);
    },
  },
  "actions.kill_run_cmd": { from: undefined, to: touches("command"), effect: makes("command") },
  "actions.kill_run_cmd_first": {
    from: false,
    to: true,
    beside: {
      actions: {
        kill_hosts_deny: "ALL: $TARGET$ : DENY",
        kill_run_cmd: "grep -q $TARGET$ DIRECTORY/hosts.deny || touch DIRECTORY/early.$TARGET$",
      },
    },
    effect: makes("early"),
  },
  "actions.unblock_cmd": {
    from: undefined,
    to: touches("undone"),
    effect: async (scene) => {
      const { address } = await scene.block();
      await scene.unblock(address);
      return await exists(scene.path(`undone.${address}`));
    },
  },
  "actions.timeout": {
    from: "10s",
    to: "1s",
    beside: { actions: { kill_run_cmd: "exec sleep 1.5" } },
    effect: async (scene) => (await scene.block()).failed.includes("kill_run_cmd"),
  },
  "actions.port_banner": {
    from: undefined,
    to: "Go away",
    beside: { tcp: { mode: "connect", ports: [23] } },
    effect: async (scene) =>
      (await scene.stranger.run(["nc", "-n", "-w", "2", scene.target.ipv4, "23"])).stdout.includes("Go away"),
  },
  "files.history": {
    from: "DIRECTORY/history",
    to: "DIRECTORY/history.new",
    effect: async (scene) => (await scene.inHistory("history.new")).found,
  },
  "files.blocked": {
    from: undefined,
    to: "DIRECTORY/blocked",
    effect: async (scene) => {
      const { address } = await scene.block();
      return await scene.soon(() => scene.read("blocked").includes(address), 2.5) ?? false;
    },
  },
  "files.state": { from: "DIRECTORY/state.db", to: "DIRECTORY/state.new", effect: waits("files.state") },
  "files.hosts_deny": {
    from: "DIRECTORY/hosts.deny",
    to: "DIRECTORY/hosts.deny.new",
    beside: { actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" } },
    effect: async (scene) => {
      const { address } = await scene.block();
      return scene.read("hosts.deny.new").includes(address) && !scene.read("hosts.deny").includes("DENY");
    },
  },
  "files.control_socket": {
    from: "DIRECTORY/control.sock",
    to: "DIRECTORY/control.new",
    effect: waits("files.control_socket"),
  },
  "files.keep": {
    from: "13w",
    to: "1h",
    beside: BLOCK,
    effect: async (scene) => {
      const source = scene.source();
      await scene.ban("tcp", [21], source);
      await scene.unblock(source);
      scene.age(7200);
      return (await scene.ban("tcp", [21], source))?.["offence"] === 1;
    },
  },
  "log.format": {
    from: "json",
    to: "text",
    effect: async (scene) => {
      const { source } = await scene.inHistory();
      return await scene.soon(() => scene.daemon.text.some((line) => line.includes(`host: ${source}/`))) ??
        false;
    },
  },
  "log.level": { from: "debug", to: "warning", effect: isSilent },
  "log.target": { from: "stdout", to: "syslog", effect: isSilent },
  "log.burst": {
    from: 100,
    to: 1,
    effect: async (scene) => {
      const { packets } = await scene.status();
      const source = scene.send("tcp", [21, 21, 21, 21]);
      await until(
        "they were judged",
        async () => (await scene.status()).packets.reported >= packets.reported + 4,
      );
      return scene.daemon.about(source, "probe").length === 1;
    },
  },
  "log.interval": {
    from: "1h",
    to: "1s",
    beside: { log: { burst: 1 } },
    effect: async (scene) => {
      const source = scene.send("tcp", [21, 21, 21]);
      const isSummary = (line: Readonly<Record<string, unknown>>) =>
        line["type"] === "suppressed" && line["source"] === source;
      return await scene.soon(() => scene.daemon.log.some(isSummary), 3.5) ?? false;
    },
  },
};

Deno.test("reload: there is a row for every key of the schema", () => {
  const keys = [...KEY_DOCS].flatMap(([section, docs]) => [...docs.keys()].map((key) => `${section}.${key}`));
  assert.deepEqual(Object.keys(ROWS), keys);
});

Deno.test("reload: a change of any key takes effect, or is said to wait for a restart", async (test) => {
  await using scene = await ReloadScene.open({ [STRANGER]: ["scanner", "example"] });
  await Deno.writeTextFile(scene.path("ignored"), `${SOURCES}\n`);
  using _listener = scene.target.inside(() => Deno.listen({ hostname: "::", port: 2222 }));
  scene.stranger.spawn(["sh", "-c", '(echo; sleep 600) | nc -n "$0" 2222', scene.target.ipv4]);
  for (const [name, { from, to, beside = {}, effect }] of Object.entries(ROWS)) {
    await test.step(name, async () => {
      assert.deepEqual(await scene.reload(sections(scene, name, { value: from, beside })), []);
      assert.equal(await effect(scene), false, "before the change");
      const waiting = await scene.reload(sections(scene, name, { value: to, beside }));
      assert.deepEqual(waiting, needsRestart(name) ? [name] : []);
      assert.equal(await effect(scene), true, "after the change");
    });
  }
});

/** Whether the last reload has logged that this key waits. */
function waits(name: string): Row["effect"] {
  return async (scene) =>
    await scene.soon(() => {
      const said = scene.daemon.notices().findLast((line) => line.startsWith("The configuration was "));
      return said?.endsWith(`; but ${name} stays as it was until portsnare is restarted`);
    }) ?? false;
}

function needsRestart(name: string): boolean {
  const [section = "", key = ""] = name.split(".");
  return KEY_DOCS.get(section)?.get(key)?.needsRestart === true;
}

/** Whether a probe that is in the history is not in the log that the test reads. */
async function isSilent(scene: ReloadScene): Promise<boolean> {
  const { source } = await scene.inHistory();
  return await scene.soon(() => scene.daemon.log.some((line) => line["source"] === source)) === undefined;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The sections of a row, with this value; a key without one is left out. */
function sections(
  scene: ReloadScene,
  name: string,
  { value, beside }: { readonly value: unknown; readonly beside: Sections },
): Sections {
  const [section = "", key = ""] = name.split(".");
  const all = { ...beside, [section]: { ...beside[section], [key]: value } };
  return JSON.parse(JSON.stringify(all).replaceAll("DIRECTORY", scene.daemon.directory));
}
