/**
 * Case 8: a hundred thousand bans in force.
 * @module
 */
import { ask } from "../../src/control/client.ts";
import { ipv4Address } from "../../src/net/address.ts";
import { hostPrefix } from "../../src/net/prefix.ts";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import type { Case, Effort, Goal, Report } from "../case.ts";
import { program, startPortsnare } from "../contestants/portsnare.ts";
import { figure, megabytes } from "../measure/format.ts";
import { median } from "../measure/statistics.ts";
import { Scene } from "../scene.ts";

const BANS = 100_000;
const QUICK_BANS = 10_000;
/** How many bans are saved in one transaction while the state is made. */
const BATCH = 2500;
const FIRST_ADDRESS = 0x0a640000;
const BAN_SECONDS = 86_400;
const MORE_BLOCKS = 20;
const GOAL_MS = 2000;

/** A first start, as after a boot, and another one, which finds everything in the kernel. */
interface Round {
  readonly startMs: number;
  readonly startCpuMs: number;
  readonly restartMs: number;
  readonly restartCpuMs: number;
  readonly rssKiB: number;
  readonly listMs: number;
  readonly listed: number;
  readonly blockMs: number;
  readonly verbMs: number;
}

/** See {@link Case}. */
export const manyBans: Case = {
  name: "many-bans",
  title: "8. A hundred thousand bans",
  about:
    "portsnare is started on a state with that many bans in force: the time until all of them are in the kernel and the " +
    "trap is armed, from the start of the process on, and the processor time of that; the same when it is started again " +
    "and finds them in the kernel; its memory after the first start, the time of `list --json` as a whole process, and " +
    "of one more `block` over the control socket.",
  async run(_field, effort): Promise<Report> {
    const bans = effort.quick ? QUICK_BANS : BANS;
    const rounds: Round[] = [];
    const empty: Round[] = [];
    for (let i = 0; i < effort.rounds; i++) {
      rounds.push(await round(bans));
      empty.push(await round(0));
    }
    return {
      tables: [{
        head: [
          "bans in force",
          "start to armed",
          "processor",
          "started again",
          "processor",
          "memory",
          "list",
          "listed",
          "one more block",
          "block as a process",
        ],
        rows: [row("0", empty), row(bans.toLocaleString("en-GB"), rounds)],
      }],
      notes: [roundsNote(effort)],
      goals: effort.quick ? [] : [restoreGoal(rounds)],
    };
  },
};

/** The slower of the two starts. */
function restoreGoal(rounds: readonly Round[]): Goal {
  const middle = (of: (round: Round) => number): number => median(rounds.map(of)) ?? NaN;
  const slowest = Math.max(middle(({ startMs }) => startMs), middle(({ restartMs }) => restartMs));
  const cpu = Math.max(middle(({ startCpuMs }) => startCpuMs), middle(({ restartCpuMs }) => restartCpuMs));
  return {
    what: "100,000 bans in the kernel again, from the start of the process on",
    goal: `under ${figure(GOAL_MS, "ms")}`,
    measured: figure(slowest, "ms"),
    reached: slowest < GOAL_MS,
    limit: `It takes ${figure(cpu, "ms")} of processor time; what is above that is waiting for a processor.`,
  };
}

function roundsNote({ rounds }: Effort): string {
  return `Medians of ${rounds}; one more block is the median of ${MORE_BLOCKS} each time.`;
}

function row(name: string, rounds: readonly Round[]): readonly string[] {
  const middle = (of: (round: Round) => number): number | undefined => median(rounds.map(of));
  return [
    name,
    figure(middle(({ startMs }) => startMs), "ms"),
    figure(middle(({ startCpuMs }) => startCpuMs), "ms"),
    figure(middle(({ restartMs }) => restartMs), "ms"),
    figure(middle(({ restartCpuMs }) => restartCpuMs), "ms"),
    megabytes(middle(({ rssKiB }) => rssKiB)),
    figure(middle(({ listMs }) => listMs), "ms"),
    figure(middle(({ listed }) => listed)),
    figure(middle(({ blockMs }) => blockMs), "ms"),
    figure(middle(({ verbMs }) => verbMs), "ms"),
  ];
}

async function round(bans: number): Promise<Round> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-bench-" });
  fill(`${directory}/state.db`, bans);
  await using scene = await Scene.open();
  const start = { engine: "kernel", directory } as const;
  const first = await startPortsnare(scene.server, { ...start, kept: true });
  const { startMs } = first;
  const [startCpuMs, rssKiB] = [first.cpuSeconds() * 1000, first.rssKiB()];
  await first[Symbol.asyncDispose]();
  await using running = await startPortsnare(scene.server, start);
  const restartCpuMs = running.cpuSeconds() * 1000;
  const socket = `${directory}/control.sock`;
  const verb = (...args: readonly string[]): readonly string[] => {
    const [name = "", ...rest] = args;
    return [...program(), name, "-c", `${directory}/config.toml`, ...rest];
  };
  const list = await timed(() => scene.server.out(verb("list", "--json")));
  const blockMs: number[] = [];
  for (let i = 0; i < MORE_BLOCKS; i++) {
    blockMs.push((await timed(() => block(socket, Scene.address(i + 1)))).ms);
  }
  const one = await timed(() => scene.server.out(verb("block", Scene.address(MORE_BLOCKS + 1))));
  return {
    startMs,
    startCpuMs,
    restartMs: running.startMs,
    restartCpuMs,
    rssKiB,
    listMs: list.ms,
    listed: list.result.split('"target"').length - 1,
    blockMs: median(blockMs) ?? NaN,
    verbMs: one.ms,
  };
}

/** A state with bans in force, as a daemon leaves it. */
function fill(path: string, bans: number): void {
  using state = new State(path, systemClock);
  for (let first = 0; first < bans; first += BATCH) {
    state.saveBans(Array.from({ length: BATCH }, (_, i) => ({
      target: hostPrefix(ipv4Address(FIRST_ADDRESS + first + i)),
      since: systemClock.now(),
      seconds: BAN_SECONDS,
      offence: 1,
      reason: "manual" as const,
      ports: 3,
      probes: 3,
      evidence: [],
      outcomes: [{ ok: true as const, action: "nftables" as const }],
    })));
  }
  state.markRecorded();
}

async function block(socket: string, target: string): Promise<void> {
  for await (const _ of ask(socket, { verb: "block", target, force: false })) {
    // The answer says that it was done; its end is what is timed.
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const begin = performance.now();
  const result = await work();
  return { result, ms: performance.now() - begin };
}
