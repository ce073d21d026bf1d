/**
 * Case 5: thousands of scanners at the same time.
 * @module
 */
import { type Case, only, reference, type Report, takeTurns, type Turns } from "../case.ts";
import type { Contestant, Running } from "../contestants/contestant.ts";
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
  readonly banned: number;
  /** From the last probe to the last ban. */
  readonly lagSeconds: number;
  readonly cpuSeconds: number;
  readonly rssKiB: number;
}

const FIRST_NUMBER = 1000;
const SLOW: Crowd = { sources: 2000, seconds: 10, by: "port" };
const FAST: Crowd = { sources: 2000, seconds: 1.2, by: "port" };
/** One after the other, and fewer a second than `block.rate` lets through: this is about cost, not about bounds. */
const HUGE: readonly Crowd[] = [
  { sources: 10_000, seconds: 10, by: "source" },
  { sources: 100_000, seconds: 60, by: "source" },
];
const QUICK: Crowd = { sources: 2000, seconds: 3, by: "port" };
const POLL_MS = 250;
/** Nothing more is expected when the number of bans has not changed for so long. */
const QUIET_MS = 3000;

/** See {@link Case}. */
export const manyScanners: Case = {
  name: "many-scanners",
  title: "5. Many scanners",
  about:
    `Each of many sources asks for ${TRAP_PORTS.length} closed ports; up to 2,000 of them at the same time, the larger crowds one source ` +
    "after the other. " +
    "How many are kept out in the end, how long after the last probe the last of them was, and the processor time of the " +
    "detector and its children.",
  async run(field, { rounds, quick }): Promise<Report> {
    const everybody = only(field, "PortSentry", "portsnare");
    const tables: Table[] = [];
    for (const crowd of quick ? [QUICK] : [SLOW, FAST]) {
      tables.push(table(crowd, await crowded(everybody, { crowd, rounds })));
    }
    const ours = only(field, "portsnare").filter(({ name }) => !name.includes("trigger"));
    for (const crowd of quick ? [] : HUGE) {
      tables.push(table(crowd, await crowded(ours, { crowd, rounds: 1 })));
    }
    return {
      tables,
      notes: [
        `The lag is known to ${POLL_MS / 1000} s. The ratio is that of processor time to PortSentry 1.2.`,
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

function table({ sources, seconds }: Crowd, turns: readonly Turns<Round>[]): Table {
  const cpu = (results: readonly Round[]): number | undefined =>
    median(results.map(({ cpuSeconds }) => cpuSeconds));
  const old = reference(turns, { name: "PortSentry 1.2", of: cpu });
  return {
    title: `${sources.toLocaleString("en-GB")} sources in ${seconds} s`,
    head: ["contestant", "kept out", "lag", "processor time", "ratio", "per source", "memory afterwards"],
    rows: turns.map(({ contestant, results }) => [
      contestant.name,
      figure(median(results.map(({ banned }) => banned))),
      figure(median(results.map(({ lagSeconds }) => lagSeconds)), "s"),
      figure(cpu(results), "s"),
      times(ratio(cpu(results), old)),
      figure((cpu(results) ?? 0) / sources * 1e6, "µs"),
      megabytes(median(results.map(({ rssKiB }) => rssKiB))),
    ]),
  };
}

async function round(scene: Scene, running: Running, crowd: Crowd): Promise<Round> {
  const before = running.cpuSeconds();
  await send(scene.scanner, {
    kind: "sweep",
    source: Scene.address(FIRST_NUMBER),
    dest: scene.server.ipv4,
    ports: TRAP_PORTS,
    ...crowd,
  });
  const { banned, lagSeconds } = await settled(running, crowd.sources);
  return { banned, lagSeconds, cpuSeconds: running.cpuSeconds() - before, rssKiB: running.rssKiB() };
}

/** Wait until everybody is kept out, or nothing changes any more. */
async function settled(
  running: Running,
  sources: number,
): Promise<{ readonly banned: number; readonly lagSeconds: number }> {
  const begin = performance.now();
  let changed = begin;
  let banned = await running.banned();
  while (banned < sources && performance.now() < changed + QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = await running.banned();
    if (now !== banned) changed = performance.now();
    banned = now;
  }
  return { banned, lagSeconds: (changed - begin) / 1000 };
}
