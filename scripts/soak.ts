/**
 * Lets everything happen at random for a while, in private network namespaces: scanners, forged floods, clients, reloads,
 * flushes, restarts and kills. At the end state, kernel and log must agree, no client may ever have been banned, and
 * memory and descriptors must be where they were.
 *
 * Arguments: minutes (default: 10) and seed (default: another one each time). Needs root.
 */
import { Random } from "../tests/fuzz/mutator.ts";
import { reaches, serve } from "../tests/lab/clients.ts";
import { Daemon, type LogLine } from "../tests/lab/daemon.ts";
import { type Host, Lab, until } from "../tests/lab/lab.ts";
import {
  bannedByDaemon,
  bannedInKernel,
  BLOCKING,
  forge,
  holdings,
  scan,
  untilResidentBelow,
} from "../tests/lab/siege.ts";

const CLIENTS = 3;
const SERVICES = [22, 80, 443] as const;
const CONFIG = {
  ...BLOCKING,
  // Short, so that bans end and are made again many times.
  block: { duration: "20s", factor: 1, max_active: 5000 },
  detect: { window: "30s" },
  log: { burst: 5, interval: "10s", level: "notice" },
} as const;
/** More than this on top of what it was after as much of the same is a leak; the runtime collects when it likes. */
const MAX_GROWTH_KB = 16 * 1024;
const MAX_DESCRIPTORS_MORE = 3;
const REPORT_SECONDS = 60;

/** The scene, and what is known of it. */
interface Scene {
  readonly random: Random;
  readonly target: Host;
  readonly attacker: Host;
  readonly clients: readonly Host[];
  readonly directory: string;
  readonly counts: Map<string, number>;
  /** What must not be. */
  readonly failures: string[];
  /** What the log of all daemons said of bans: made and released, and of whom. */
  readonly blocked: Set<string>;
  daemon: Daemon;
}

type Deed = (scene: Scene) => Promise<void> | void;

/** What happens, and how often in relation to the others. */
const DEEDS: readonly (readonly [name: string, weight: number, deed: Deed])[] = [
  ["scan", 12, scanFromSomewhere],
  ["forged flood", 4, floodFromEverywhere],
  ["client", 20, letClientIn],
  ["slip of a client", 2, letClientSlip],
  ["status", 3, (scene) => expectExit(scene, ["status"])],
  ["unblock all", 1, (scene) => expectExit(scene, ["unblock", "--all"])],
  ["reload", 3, (scene) => expectExit(scene, ["reload"])],
  ["SIGHUP", 2, (scene) => scene.daemon.process.kill("SIGHUP")],
  ["flush", 2, (scene) => void scene.target.run(["nft", "flush", "ruleset"])],
  ["pause", 2, suspend],
  ["restart", 1, (scene) => restart(scene, "SIGTERM")],
  ["kill -9", 1, (scene) => restart(scene, "SIGKILL")],
];

async function main(): Promise<number> {
  const minutes = Number(Deno.args[0] ?? 10);
  const seed = Number(Deno.args[1] ?? Date.now() % 1_000_000);
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    console.error('soak: usage: make soak ARGS="[MINUTES [SEED]]"');
    return 64;
  }
  console.log(`seed ${seed}, ${minutes} minutes`);
  await using lab = await Lab.create();
  const scene = await open(lab, seed);
  try {
    await play(scene, minutes * 60);
    await settle(scene);
    report(scene);
    return scene.failures.length === 0 ? 0 : 1;
  } finally {
    await scene.daemon[Symbol.asyncDispose]();
  }
}

async function open(lab: Lab, seed: number): Promise<Scene> {
  const target = await lab.host();
  const attacker = await lab.host();
  const clients: Host[] = [];
  for (let i = 0; i < CLIENTS; i++) clients.push(await lab.host());
  await serve(target, ...SERVICES);
  const directory = await Deno.makeTempDir({ prefix: "portsnare-soak-" });
  const daemon = await Daemon.start(target, { config: CONFIG, directory });
  const random = new Random(seed);
  return {
    random,
    target,
    attacker,
    clients,
    directory,
    counts: new Map(),
    failures: [],
    blocked: new Set(),
    daemon,
  };
}

async function play(scene: Scene, seconds: number): Promise<void> {
  const bag = DEEDS.flatMap(([name, weight, deed]) =>
    Array.from({ length: weight }, () => [name, deed] as const)
  );
  const began = performance.now();
  let told = began;
  while (performance.now() - began < seconds * 1000 && scene.failures.length === 0) {
    const [name, deed] = scene.random.pick(bag);
    scene.counts.set(name, (scene.counts.get(name) ?? 0) + 1);
    try {
      await deed(scene);
    } catch (error) {
      scene.failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
    takeLog(scene);
    if (performance.now() - told < REPORT_SECONDS * 1000) continue;
    told = performance.now();
    const { descriptors, residentKb } = await holdings(scene.daemon.process.pid);
    const minute = Math.round((told - began) / 60_000);
    console.log(`minute ${minute}: ${total(scene)} deeds, ${descriptors} descriptors, ${residentKb} KiB`);
  }
}

/** Nothing more happens: what is left must agree, and nothing must have been kept. */
async function settle(scene: Scene): Promise<void> {
  if (scene.failures.length > 0) return;
  await restart(scene, "SIGTERM");
  for (let i = 0; i < 20; i++) scan(scene.attacker, scene.target.ipv4);
  // The first round fills what is only ever as large as this; a leak shows in the second.
  await wear(scene);
  const before = await holdings(scene.daemon.process.pid);
  await wear(scene);
  const after = await holdings(scene.daemon.process.pid);
  console.log(`before: ${JSON.stringify(before)}, after: ${JSON.stringify(after)}`);
  if (after.descriptors > before.descriptors + MAX_DESCRIPTORS_MORE) {
    scene.failures.push("descriptors were kept");
  }
  await untilResidentBelow(scene.daemon.process.pid, before.residentKb + MAX_GROWTH_KB).catch((error) =>
    scene.failures.push(`memory was kept: ${error.message}`)
  );
  await agree(scene);
  takeLog(scene);
  for (const client of [...scene.clients, scene.target]) {
    if (scene.blocked.has(client.ipv4)) scene.failures.push(`the client ${client.ipv4} was banned`);
    if (!await reaches(client, scene.target.ipv4, 80)) scene.failures.push(`${client.ipv4} is not served`);
  }
}

/** A run of one daemon that is neither ended nor killed, so that what it keeps can be seen. */
async function wear(scene: Scene): Promise<void> {
  for (let round = 0; round < 200; round++) {
    scanFromSomewhere(scene);
    if (round % 10 === 0) await expectExit(scene, ["reload"]);
    if (round % 25 === 0) floodFromEverywhere(scene);
    if (round % 40 === 0) await scene.target.run(["nft", "flush", "ruleset"]);
    await pause(20);
  }
  await pause(3000);
}

/** State, kernel and what the daemon says name the same addresses; bans that end at this moment get another look. */
async function agree(scene: Scene): Promise<void> {
  let last = "";
  try {
    await until("state and kernel agree", async () => {
      const [kernel, daemon] = [await bannedInKernel(scene.target), await bannedByDaemon(scene.daemon)];
      last = `kernel: ${kernel.length}, daemon: ${daemon.length}`;
      return kernel.length === daemon.length && kernel.every((address, index) => address === daemon[index]);
    }, 30);
  } catch {
    scene.failures.push(`state and kernel do not agree (${last})`);
  }
}

function scanFromSomewhere(scene: Scene): void {
  const source = scene.attacker.ipv4.replace(/\d+$/, String(100 + scene.random.below(100)));
  const first = 500 + scene.random.below(300);
  const ports = Array.from({ length: 3 + scene.random.below(20) }, (_, index) => first + index);
  forge(scene.attacker, { source, dest: scene.target.ipv4, ports });
}

function floodFromEverywhere(scene: Scene): void {
  for (let i = 0; i < 200; i++) {
    const source = `198.${18 + scene.random.below(2)}.${scene.random.below(256)}.${
      1 + scene.random.below(254)
    }`;
    forge(scene.attacker, { source, dest: scene.target.ipv4, ports: [scene.random.below(1000) + 1] });
  }
}

async function letClientIn(scene: Scene): Promise<void> {
  const client = scene.random.pick(scene.clients);
  const port = scene.random.pick(SERVICES);
  // A slip before may have put the client into quarantine; longer than that nobody waits.
  await until(`${client.ipv4} reaches port ${port}`, () => reaches(client, scene.target.ipv4, port), 12);
}

/** One closed port, always the same one of the client: a slip, never a scan. */
async function letClientSlip(scene: Scene): Promise<void> {
  const index = scene.random.below(scene.clients.length);
  const client = scene.clients[index];
  if (client !== undefined) await reaches(client, scene.target.ipv4, 700 + index);
}

async function suspend(scene: Scene): Promise<void> {
  scene.daemon.process.kill("SIGSTOP");
  scanFromSomewhere(scene);
  await pause(200 + scene.random.below(1500));
  scene.daemon.process.kill("SIGCONT");
}

async function restart(scene: Scene, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const code = await scene.daemon.stop(signal);
  takeLog(scene);
  if (signal === "SIGTERM" && code !== 0) {
    scene.failures.push(`SIGTERM: exit ${code}: ${scene.daemon.said()}`);
  }
  scene.daemon = await Daemon.start(scene.target, { config: CONFIG, directory: scene.directory });
}

async function expectExit(scene: Scene, argv: readonly string[]): Promise<void> {
  const result = await scene.daemon.cli(...argv);
  if (result.code !== 0) {
    scene.failures.push(`${argv.join(" ")}: exit ${result.code}: ${result.stderr.trim()}`);
  }
}

/** What the log says since the last look; an internal error is a failure whatever else goes well. */
function takeLog(scene: Scene): void {
  for (const line of scene.daemon.log.splice(0)) takeLine(scene, line);
  for (const text of scene.daemon.text.splice(0)) scene.failures.push(`not a line of the log: ${text}`);
}

function takeLine(scene: Scene, line: LogLine): void {
  const type = String(line["type"]);
  scene.counts.set(`log: ${type}`, (scene.counts.get(`log: ${type}`) ?? 0) + 1);
  if (type === "block" && line["result"] === "made") scene.blocked.add(String(line["source"]));
  if (type === "block" && line["result"] === "failed") {
    const why = `ban that failed: ${JSON.stringify(line["outcomes"])}`;
    scene.counts.set(why, (scene.counts.get(why) ?? 0) + 1);
  }
  if (/[Ii]nternal error/.test(String(line["message"]))) scene.failures.push(String(line["message"]));
}

function report(scene: Scene): void {
  for (const [name, count] of scene.counts) console.log(`${String(count).padStart(8)}  ${name}`);
  console.log(`${String(scene.blocked.size).padStart(8)}  different sources banned`);
  for (const failure of scene.failures) console.log(`FAILED: ${failure}`);
  console.log(scene.failures.length === 0 ? "state, kernel and log agree; no client was banned" : "failed");
}

function total(scene: Scene): number {
  return DEEDS.reduce((sum, [name]) => sum + (scene.counts.get(name) ?? 0), 0);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) Deno.exit(await main());
