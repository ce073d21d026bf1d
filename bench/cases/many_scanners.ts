/**
 * Case 5: thousands of scanners at the same time.
 * @module
 */
import {
  type Case,
  gistOf,
  type Goal,
  only,
  ratioGoal,
  reference,
  type Report,
  takeTurns,
  type Turns,
} from "../case.ts";
import type { Contestant, Running } from "../contestants/contestant.ts";
import { portsnare } from "../contestants/portsnare.ts";
import { figure, megabytes, type Table, times } from "../measure/format.ts";
import { median, ratio } from "../measure/statistics.ts";
import { Scene, TRAP_PORTS } from "../scene.ts";
import { send } from "../traffic/job.ts";

/** So many scanners, so fast. */
interface Crowd {
  readonly sources: number;
  readonly seconds: number;
  readonly by: "port" | "source";
}

/** One round of one contestant. */
interface Round {
  readonly sent: number;
  /** Probes that the detector saw, where it counts them. */
  readonly seen: number | undefined;
  readonly banned: number;
  /** How long the sending took. */
  readonly sendSeconds: number;
  /** From the first probe to the last ban. */
  readonly lastSeconds: number;
  /** From the last probe to the last ban. */
  readonly lagSeconds: number;
  readonly cpuSeconds: number;
  /** The kernel's part of it. */
  readonly kernelSeconds: number;
  /** What of it was used before the last port was asked for, when there was nothing to ban yet. */
  readonly probingSeconds: number;
  /** What it would have used in this time anyway. */
  readonly idleSeconds: number;
  readonly rssKiB: number;
}

type Rounds = readonly Round[];

const FIRST_NUMBER = 1000;
const SLOW: Crowd = { sources: 2000, seconds: 10, by: "port" };
/** As many as `block.rate` lets through at once by default, as fast as they can be sent: nothing is waited for but the bans. */
const BURST: Crowd = { sources: 2000, seconds: 0, by: "port" };
/** Equally fast, so that only their number differs. */
const LARGE: Crowd = { sources: 10_000, seconds: 2.5, by: "source" };
const HUGE: Crowd = { sources: 100_000, seconds: 25, by: "source" };
const QUICK: Crowd = { sources: 2000, seconds: 3, by: "port" };
/** Its default keeps a flood of forged sources out of the firewall; here it is the cost that is asked for. */
const WITHOUT_BOUND = { block: { rate: 100_000 } };
/** Of the cost per source. */
const FLAT = 1.2;
/** What is used while nothing happens is measured for so long. */
const IDLE_SECONDS = 2;
/** How often the processor time is read while probes are sent. */
const SAMPLE_MS = 50;
const FIRST_POLL_MS = 10;
const MAX_POLL_MS = 250;
/** Nothing more is expected when the number of bans has not changed for so long. */
const QUIET_MS = 3000;

/** See {@link Case}. */
export const manyScanners: Case = {
  name: "many-scanners",
  title: "5. Many scanners",
  about:
    `Each of many sources asks for ${TRAP_PORTS.length} closed ports: 2,000 sources at the same time, the larger crowds one ` +
    "source after the other. How many are kept out in the end, how long after the first probe the last of them was, how " +
    "long after the last probe (by portsnare's own record; of PortSentry looked for ever more seldom, so known to a quarter " +
    "of itself), and the processor time of the detector and its children. The larger crowds are for portsnare alone, with " +
    `\`block.rate = ${WITHOUT_BOUND.block.rate}\`: its default would keep a part of the crowd out of the firewall.`,
  async run(field, { rounds, quick }): Promise<Report> {
    const entrants = only(field, "PortSentry", "portsnare").filter(({ name }) => !name.includes("trigger"));
    if (quick) {
      const quickly = await crowded(entrants, { crowd: QUICK, rounds });
      const burst = await crowded(entrants, { crowd: BURST, rounds });
      return { tables: [table(QUICK, quickly), table(BURST, burst)], notes: [] };
    }
    const slow = await crowded(entrants, { crowd: SLOW, rounds });
    const burst = await crowded(entrants, { crowd: BURST, rounds });
    const ours = (["kernel", "raw"] as const).map((engine) => portsnare({ engine, changes: WITHOUT_BOUND }));
    const large = await crowded(ours, { crowd: LARGE, rounds: 1 });
    const huge = await crowded(ours, { crowd: HUGE, rounds: 1 });
    return {
      tables: [table(SLOW, slow), table(BURST, burst), table(LARGE, large), table(HUGE, huge)],
      notes: [
        "Seen is the detector's own count; PortSentry has none. Ratios are to PortSentry 1.2, each per source that was kept out.",
      ],
      goals: [...goalsBeside(slow, burst), ...goalsAlone(large, huge)],
      gist: [
        gistOf("kept out of 2,000 scanners in 10 s", slow, (results) => figure(bannedOf(results))),
        gistOf("processor time for each of them", slow, (results) => figure(cpuPerSource(results), "µs")),
        gistOf(
          "memory afterwards",
          slow,
          (results) => megabytes(median(results.map(({ rssKiB }) => rssKiB))),
        ),
      ],
    };
  },
};

async function crowded(
  field: readonly Contestant[],
  { crowd, rounds }: { readonly crowd: Crowd; readonly rounds: number },
): Promise<readonly Turns<Round>[]> {
  return await takeTurns(field, { rounds, measure: (scene, running) => round(scene, running, crowd) });
}

function bannedOf(results: Rounds): number | undefined {
  return median(results.map(({ banned }) => banned));
}

function sendSeconds(results: Rounds): number | undefined {
  return median(results.map(({ sendSeconds }) => sendSeconds));
}

/** Microseconds of processor time for each source, or of a part of it. */
function cpuPerSource(
  results: Rounds,
  part: (round: Round) => number = ({ cpuSeconds }) => cpuSeconds,
): number | undefined {
  return median(results.map((round) => part(round) / round.banned * 1e6));
}

function lastSeconds(results: Rounds): number | undefined {
  return median(results.map(({ lastSeconds }) => lastSeconds));
}

function timePerSource(results: Rounds): number | undefined {
  return median(results.map(({ lastSeconds, banned }) => lastSeconds / banned * 1000));
}

function inTime(seconds: number): string {
  return seconds === 0 ? "at once" : `in ${seconds} s`;
}

function table({ sources, seconds }: Crowd, turns: readonly Turns<Round>[]): Table {
  const old = (of: (results: Rounds) => number | undefined): number | undefined =>
    reference(turns, { name: "PortSentry 1.2", of });
  return {
    title: `${sources.toLocaleString("en-GB")} sources ${inTime(seconds)}`,
    head: [
      "contestant",
      "probes",
      "seen",
      "kept out",
      "last one after",
      "after the last probe",
      "time per source",
      "ratio",
      "processor time",
      "per source",
      "ratio",
      "memory afterwards",
    ],
    rows: turns.map(({ contestant, results }) => [
      contestant.name,
      figure(median(results.map(({ sent }) => sent))),
      figure(median(results.flatMap(({ seen }) => seen ?? []))),
      figure(bannedOf(results)),
      figure(lastSeconds(results), "s"),
      figure(median(results.map(({ lagSeconds }) => lagSeconds)), "s"),
      figure(timePerSource(results), "ms"),
      times(ratio(timePerSource(results), old(timePerSource))),
      figure(median(results.map(({ cpuSeconds }) => cpuSeconds)), "s"),
      figure(cpuPerSource(results), "µs"),
      times(ratio(cpuPerSource(results), old((results) => cpuPerSource(results)))),
      megabytes(median(results.map(({ rssKiB }) => rssKiB))),
    ]),
  };
}

/** Everybody is kept out, and for a twentieth of what PortSentry needs: of time in the burst, of processor time. */
function goalsBeside(slow: readonly Turns<Round>[], burst: readonly Turns<Round>[]): readonly Goal[] {
  const ratioIn = (
    turns: readonly Turns<Round>[],
    name: string,
    of: (results: Rounds) => number | undefined,
  ) => ratio(reference(turns, { name, of }), reference(turns, { name: "PortSentry 1.2", of }));
  return ["portsnare kernel", "portsnare raw"].flatMap((name) => {
    const all = [...slow, ...burst].filter(({ contestant }) => contestant.name === name)
      .flatMap(({ results }) => results);
    if (all.length === 0) return [];
    const fewest = Math.min(...all.map(({ banned }) => banned));
    const inSlow = (part?: (round: Round) => number): string =>
      figure(reference(slow, { name, of: (results) => cpuPerSource(results, part) }), "µs");
    return [
      {
        what: `2,000 scanners, ${name}`,
        goal: `all kept out, in ${SLOW.seconds} s and at once`,
        measured: `${figure(fewest)} at least, in ${all.length} rounds`,
        reached: fewest === SLOW.sources,
        limit: `${SLOW.sources - fewest} sources were not kept out ${QUIET_MS / 1000} s after the last ban; ${
          unseen(all)
        }.`,
      },
      ...ratioGoal({
        what: `2,000 scanners at once, ${name}: time until the last, per source kept out`,
        atMost: 0.05,
        of: "PortSentry 1.2",
        measured: ratioIn(burst, name, timePerSource),
        limit: `Of ${
          figure(reference(burst, { name, of: lastSeconds }), "s")
        } until the last ban, sending takes ${
          figure(reference(burst, { name, of: sendSeconds }), "s")
        }; the detector uses ${
          figure(reference(burst, { name, of: (results) => cpuPerSource(results) }), "µs")
        } of processor time for each source.`,
      }),
      ...ratioGoal({
        what: `2,000 scanners in ${SLOW.seconds} s, ${name}: processor time per source kept out`,
        atMost: 0.05,
        of: "PortSentry 1.2",
        measured: ratioIn(slow, name, (results) => cpuPerSource(results)),
        limit: `Of its ${inSlow()}, ${
          inSlow(({ idleSeconds }) => idleSeconds)
        } are what it uses in that time when nothing ` +
          `happens, ${
            inSlow(({ probingSeconds, idleSeconds }) =>
              probingSeconds - idleSeconds * (TRAP_PORTS.length - 1) / TRAP_PORTS.length
            )
          } the reading and judging of the ${
            TRAP_PORTS.length - 1
          } probes before the last, and the rest the last one and ` +
          `the ban. The kernel's part of all is ${
            inSlow(({ kernelSeconds }) =>
              kernelSeconds
            )
          }. At once, one source costs ${
            figure(reference(burst, { name, of: (results) => cpuPerSource(results) }), "µs")
          } in all: the difference is that the process wakes up, enforces, saves and logs for a few packets at a time, ` +
          "because no ban waits for company.",
      }),
    ];
  });
}

function unseen(results: Rounds): string {
  const missing = results.reduce((sum, { sent, seen }) => sum + sent - (seen ?? sent), 0);
  return `${figure(missing)} probes were lost before the detector saw them`;
}

/** Ten times the sources cost ten times as much, and none is lost. */
function goalsAlone(large: readonly Turns<Round>[], huge: readonly Turns<Round>[]): readonly Goal[] {
  return huge.flatMap(({ contestant, results }) => {
    const few = reference(large, { name: contestant.name, of: (results) => cpuPerSource(results) });
    const grown = ratio(cpuPerSource(results), few);
    const banned = bannedOf(results) ?? 0;
    return [{
      what: `100,000 scanners, ${contestant.name}`,
      goal: `all kept out, each for at most ${times(FLAT)} the processor time of one of 10,000`,
      measured: `${figure(banned)}, ${times(grown)}`,
      reached: banned === HUGE.sources && grown !== undefined && grown <= FLAT,
      limit: `${figure(cpuPerSource(results), "µs")} each instead of ${figure(few, "µs")}; ${
        unseen(results)
      }.`,
    }];
  });
}

async function round(scene: Scene, running: Running, crowd: Crowd): Promise<Round> {
  const idleBefore = running.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const [before, kernelBefore] = [running.cpuSeconds(), running.kernelSeconds()];
  const idleShare = (before - idleBefore) / IDLE_SECONDS;
  const samples: { readonly atMs: number; readonly cpuSeconds: number }[] = [];
  const sampling = setInterval(
    () => samples.push({ atMs: Date.now(), cpuSeconds: running.cpuSeconds() - before }),
    SAMPLE_MS,
  );
  const { packets, begunMs, endedMs } = await send(scene.scanner, {
    kind: "sweep",
    source: Scene.address(FIRST_NUMBER),
    dest: scene.server.ipv4,
    ports: TRAP_PORTS,
    ...crowd,
  }).finally(() => clearInterval(sampling));
  const lastPortMs = endedMs - (endedMs - begunMs) / TRAP_PORTS.length;
  const { banned, changedMs } = await settled(running, { sources: crowd.sources, endedMs });
  const cpuSeconds = running.cpuSeconds() - before;
  const lastMs = await running.lastBannedMs?.() ?? changedMs;
  return {
    sent: packets,
    seen: (await running.counted())?.reported,
    banned,
    sendSeconds: (endedMs - begunMs) / 1000,
    lastSeconds: (lastMs - begunMs) / 1000,
    lagSeconds: Math.max(0, lastMs - endedMs) / 1000,
    cpuSeconds,
    kernelSeconds: running.kernelSeconds() - kernelBefore,
    probingSeconds: samples.findLast(({ atMs }) => atMs <= lastPortMs)?.cpuSeconds ?? 0,
    idleSeconds: idleShare * (endedMs - begunMs) / 1000,
    rssKiB: running.rssKiB(),
  };
}

/**
 * Wait until everybody is kept out, or nothing changes any more.
 *
 * Whoever asks costs processor time, most of all where a list of rules is the answer; so the pauses grow.
 */
async function settled(
  running: Running,
  { sources, endedMs }: { readonly sources: number; readonly endedMs: number },
): Promise<{ readonly banned: number; readonly changedMs: number }> {
  let banned = await running.banned();
  let changedMs = banned === sources ? endedMs : Date.now();
  while (banned < sources && Date.now() < changedMs + QUIET_MS) {
    const pauseMs = Math.min(MAX_POLL_MS, Math.max(FIRST_POLL_MS, (Date.now() - endedMs) / 4));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const now = await running.banned();
    if (now !== banned) changedMs = Date.now();
    banned = now;
  }
  return { banned, changedMs };
}
