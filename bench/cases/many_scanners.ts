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
import type { Contestant } from "../contestants/contestant.ts";
import { portsnare } from "../contestants/portsnare.ts";
import { bareWakeMicroseconds } from "../measure/bare_wake.ts";
import { figure, megabytes, type Table, times } from "../measure/format.ts";
import { median, ratio } from "../measure/statistics.ts";
import { TRAP_PORTS } from "../scene.ts";
import {
  bannedOf,
  cpuPerSource,
  type Crowd,
  lastSeconds,
  QUIET_MS,
  type Round,
  type Rounds,
  scanned,
  sendSeconds,
  timePerSource,
} from "../crowd.ts";

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
    const wakeMicroseconds = await bareWakeMicroseconds();
    const burst = await crowded(entrants, { crowd: BURST, rounds });
    const ours = (["kernel", "raw"] as const).map((engine) => portsnare({ engine, changes: WITHOUT_BOUND }));
    const large = await crowded(ours, { crowd: LARGE, rounds: 1 });
    const huge = await crowded(ours, { crowd: HUGE, rounds: 1 });
    return {
      tables: [table(SLOW, slow), table(BURST, burst), table(LARGE, large), table(HUGE, huge)],
      notes: [
        "Seen is the detector's own count; PortSentry has none. Ratios are to PortSentry 1.2, each per source that was kept out.",
      ],
      goals: [...goalsBeside({ slow, burst, huge, wakeMicroseconds }), ...goalsAlone(large, huge)],
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
  return await takeTurns(field, { rounds, measure: (scene, running) => scanned(scene, running, crowd) });
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

/** The crowds that the goals and their limits are about. */
interface Beside {
  readonly slow: readonly Turns<Round>[];
  readonly burst: readonly Turns<Round>[];
  readonly huge: readonly Turns<Round>[];
  /** What the runtime costs by itself; see {@link bareWakeMicroseconds}. */
  readonly wakeMicroseconds: number;
}

/** Everybody is kept out, and for a twentieth of what PortSentry needs: of time in the burst, of processor time. */
function goalsBeside(turns: Beside): readonly Goal[] {
  const { slow, burst } = turns;
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
        limit: whereItGoes(name, turns),
      }),
    ];
  });
}

/** The parts of the processor time in the slow crowd, for each source kept out. */
function whereItGoes(name: string, { slow, burst, huge, wakeMicroseconds }: Beside): string {
  const each = (turns: readonly Turns<Round>[], part?: (round: Round) => number): string =>
    figure(reference(turns, { name, of: (results) => cpuPerSource(results, part) }), "µs");
  const before = TRAP_PORTS.length - 1;
  const idle = each(slow, ({ idleSeconds }) => idleSeconds);
  const probing = each(
    slow,
    ({ probingSeconds, idleSeconds }) => probingSeconds - idleSeconds * before / TRAP_PORTS.length,
  );
  const kernel = each(slow, ({ kernelSeconds }) => kernelSeconds);
  const wakes = reference(slow, { name, of: (results) => median(results.map((round) => round.wakes)) });
  const waking = each(slow, (round) => round.wakes * wakeMicroseconds / 1e6);
  return [
    `Of its ${
      each(slow)
    }, ${idle} are what it uses in that time when nothing happens, ${probing} the reading and judging`,
    `of the ${before} probes before the last, and the rest the last one and the ban; the kernel's part of all is ${kernel}.`,
    `It was woken ${
      figure(wakes)
    } times, and each time costs a process of the same runtime that does nothing else`,
    `${
      figure(wakeMicroseconds, "µs")
    }: ${waking} for each source. At once, where it is woken less often, a source costs`,
    `${each(burst)} in all; among ${
      HUGE.sources.toLocaleString("en-GB")
    }, where V8 has compiled everything, ${each(huge)}.`,
  ].join(" ");
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
