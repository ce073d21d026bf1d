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
  /** From the first probe to the last ban. */
  readonly lastSeconds: number;
  /** From the last probe to the last ban. */
  readonly lagSeconds: number;
  readonly cpuSeconds: number;
  /** The kernel's part of it. */
  readonly kernelSeconds: number;
  readonly rssKiB: number;
}

type Rounds = readonly Round[];

const FIRST_NUMBER = 1000;
const SLOW: Crowd = { sources: 2000, seconds: 10, by: "port" };
/** As many as `block.rate` lets through at once by default. */
const FAST: Crowd = { sources: 2000, seconds: 0.4, by: "port" };
/** Equally fast, so that only their number differs. */
const LARGE: Crowd = { sources: 10_000, seconds: 2.5, by: "source" };
const HUGE: Crowd = { sources: 100_000, seconds: 25, by: "source" };
const QUICK: Crowd = { sources: 2000, seconds: 3, by: "port" };
/** Its default keeps a flood of forged sources out of the firewall; here it is the cost that is asked for. */
const WITHOUT_BOUND = { block: { rate: 100_000 } };
/** Of the cost per source. */
const FLAT = 1.2;
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
    "long after the last probe (looked for ever more seldom: known to a quarter of itself), and the processor time of the " +
    "detector and its children. The larger crowds are for portsnare alone, with " +
    `\`block.rate = ${WITHOUT_BOUND.block.rate}\`: its default would keep a part of the crowd out of the firewall.`,
  async run(field, { rounds, quick }): Promise<Report> {
    const entrants = only(field, "PortSentry", "portsnare").filter(({ name }) => !name.includes("trigger"));
    if (quick) {
      return { tables: [table(QUICK, await crowded(entrants, { crowd: QUICK, rounds }))], notes: [] };
    }
    const slow = await crowded(entrants, { crowd: SLOW, rounds });
    const fast = await crowded(entrants, { crowd: FAST, rounds });
    const ours = (["kernel", "raw"] as const).map((engine) => portsnare({ engine, changes: WITHOUT_BOUND }));
    const large = await crowded(ours, { crowd: LARGE, rounds: 1 });
    const huge = await crowded(ours, { crowd: HUGE, rounds: 1 });
    return {
      tables: [table(SLOW, slow), table(FAST, fast), table(LARGE, large), table(HUGE, huge)],
      notes: [
        "Seen is the detector's own count; PortSentry has none. Ratios are to PortSentry 1.2, each per source that was kept out.",
      ],
      goals: [...goalsBeside(slow, fast), ...goalsAlone(large, huge)],
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
  return median(results.map(({ lastSeconds, lagSeconds }) => lastSeconds - lagSeconds));
}

function cpuPerSource(results: Rounds): number | undefined {
  return median(results.map(({ cpuSeconds, banned }) => cpuSeconds / banned * 1e6));
}

function kernelPerSource(results: Rounds): number | undefined {
  return median(results.map(({ kernelSeconds, banned }) => kernelSeconds / banned * 1e6));
}

function timePerSource(results: Rounds): number | undefined {
  return median(results.map(({ lastSeconds, banned }) => lastSeconds / banned * 1000));
}

function table({ sources, seconds }: Crowd, turns: readonly Turns<Round>[]): Table {
  const old = (of: (results: Rounds) => number | undefined): number | undefined =>
    reference(turns, { name: "PortSentry 1.2", of });
  return {
    title: `${sources.toLocaleString("en-GB")} sources in ${seconds} s`,
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
      figure(median(results.map(({ lastSeconds }) => lastSeconds)), "s"),
      figure(median(results.map(({ lagSeconds }) => lagSeconds)), "s"),
      figure(timePerSource(results), "ms"),
      times(ratio(timePerSource(results), old(timePerSource))),
      figure(median(results.map(({ cpuSeconds }) => cpuSeconds)), "s"),
      figure(cpuPerSource(results), "µs"),
      times(ratio(cpuPerSource(results), old(cpuPerSource))),
      megabytes(median(results.map(({ rssKiB }) => rssKiB))),
    ]),
  };
}

/** Everybody is kept out, and for a twentieth of what PortSentry needs: of time in the fast crowd, of processor time. */
function goalsBeside(slow: readonly Turns<Round>[], fast: readonly Turns<Round>[]): readonly Goal[] {
  const ratioIn = (
    turns: readonly Turns<Round>[],
    name: string,
    of: (results: Rounds) => number | undefined,
  ) => ratio(reference(turns, { name, of }), reference(turns, { name: "PortSentry 1.2", of }));
  return ["portsnare kernel", "portsnare raw"].flatMap((name) => {
    const all = [...slow, ...fast].filter(({ contestant }) => contestant.name === name)
      .flatMap(({ results }) => results);
    if (all.length === 0) return [];
    const fewest = Math.min(...all.map(({ banned }) => banned));
    return [
      {
        what: `2,000 scanners, ${name}`,
        goal: `all kept out, in ${SLOW.seconds} s and in ${FAST.seconds} s`,
        measured: `${figure(fewest)} at least, in ${all.length} rounds`,
        reached: fewest === SLOW.sources,
        limit: `${SLOW.sources - fewest} sources were not kept out ${QUIET_MS / 1000} s after the last ban; ${
          unseen(all)
        }.`,
      },
      ...ratioGoal({
        what: `2,000 scanners in ${FAST.seconds} s, ${name}: time until the last, per source kept out`,
        atMost: 0.05,
        of: "PortSentry 1.2",
        measured: ratioIn(fast, name, timePerSource),
        limit: `Sending the probes takes ${
          figure(reference(fast, { name, of: sendSeconds }), "s")
        } of it here, asked for ${FAST.seconds} s.`,
      }),
      ...ratioGoal({
        what: `2,000 scanners in ${SLOW.seconds} s, ${name}: processor time per source kept out`,
        atMost: 0.05,
        of: "PortSentry 1.2",
        measured: ratioIn(slow, name, cpuPerSource),
        limit:
          `Of its ${figure(reference(slow, { name, of: cpuPerSource }), "µs")} the kernel spends ${
            figure(reference(slow, { name, of: kernelPerSource }), "µs")
          } on its behalf. The same 2,000 in ${FAST.seconds} s cost ${
            figure(reference(fast, { name, of: cpuPerSource }), "µs")
          } each: the difference is that the process wakes up for each few packets, and enforces, saves and logs what these ` +
          "few came to, because no ban waits for company.",
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
    const few = reference(large, { name: contestant.name, of: cpuPerSource });
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
  const [before, kernelBefore] = [running.cpuSeconds(), running.kernelSeconds()];
  const { packets, begunMs, endedMs } = await send(scene.scanner, {
    kind: "sweep",
    source: Scene.address(FIRST_NUMBER),
    dest: scene.server.ipv4,
    ports: TRAP_PORTS,
    ...crowd,
  });
  const { banned, changedMs } = await settled(running, { sources: crowd.sources, endedMs });
  return {
    sent: packets,
    seen: (await running.counted())?.reported,
    banned,
    lastSeconds: (changedMs - begunMs) / 1000,
    lagSeconds: (changedMs - endedMs) / 1000,
    cpuSeconds: running.cpuSeconds() - before,
    kernelSeconds: running.kernelSeconds() - kernelBefore,
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
