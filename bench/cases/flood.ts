/**
 * Case 4: a SYN flood from random sources, and a real scanner in the middle of it.
 * @module
 */
import { defaultConfig } from "../../src/config/schema.ts";
import { type Case, only, type Report, takeTurns } from "../case.ts";
import type { Running } from "../contestants/contestant.ts";
import { figure, megabytes } from "../measure/format.ts";
import { median, ratio } from "../measure/statistics.ts";
import { requestsPerSecond } from "../measure/wrk.ts";
import { OPEN_PORTS, SCANNERS, Scene, TRAP_PORTS } from "../scene.ts";
import { send } from "../traffic/job.ts";

const SECONDS = 5;
const QUICK_SECONDS = 3;
const RATE_SECONDS = 1;
const SCAN_SECONDS = 1;
/** Below the addresses that the flood claims to come from. */
const SCANNER_NUMBER = 7;
const FLOOD_BITS = SCANNERS.bits - 1;
const FLOOD_SOURCE = Scene.address(1 << FLOOD_BITS);
/** A flood is often aimed at one port; this one is closed, and trapped everywhere. */
const FLOOD_PORTS = TRAP_PORTS.slice(0, 1);

/** One round of one contestant. */
interface Round {
  readonly sent: number;
  readonly cpuSeconds: number;
  readonly grownKiB: number;
  readonly banned: number;
  readonly reported: number | undefined;
  readonly lost: number | undefined;
  /** Service rate after the flood, of that before. */
  readonly rateAfter: number | undefined;
  readonly caught: boolean;
}

/** See {@link Case}. */
export const flood: Case = {
  name: "flood",
  title: "4. SYN flood",
  about:
    `SYN packets to one closed port as fast as one processor sends them, for ${SECONDS} s, from ${
      (1 << FLOOD_BITS).toLocaleString("en-GB")
    } random sources; half-way a real scanner asks for ${TRAP_PORTS.length} closed ports. Afterwards: is the scanner kept ` +
    "out, and how many short connections a second does the server serve, of those before?",
  async run(field, { rounds, quick }): Promise<Report> {
    const entrants = only(field, "no detector", "PortSentry", "portsnare").filter(({ name }) =>
      !name.includes("trigger")
    );
    const seconds = quick ? QUICK_SECONDS : SECONDS;
    const turns = await takeTurns(entrants, {
      rounds,
      measure: (scene, running) => round(scene, running, seconds),
    });
    const head = [
      "contestant",
      "sent",
      "seen",
      "lost",
      "processor time",
      "per packet sent",
      "memory grown by",
      "kept out",
      "service after",
    ];
    const rows = turns.map(({ contestant, results }) => {
      const middle = (of: (round: Round) => number | undefined): number | undefined =>
        median(results.flatMap((result) => of(result) ?? []));
      return [
        contestant.name,
        figure(middle(({ sent }) => sent)),
        figure(middle(({ reported }) => reported)),
        figure(middle(({ lost }) => lost)),
        figure(middle(({ cpuSeconds }) => cpuSeconds), "s"),
        figure(middle(({ cpuSeconds, sent }) => cpuSeconds / sent * 1e6), "µs"),
        megabytes(middle(({ grownKiB }) => grownKiB)),
        figure(middle(({ banned }) => banned)),
        figure(percent(middle(({ rateAfter }) => rateAfter)), "%"),
        caughtOf(results),
      ];
    });
    return {
      tables: [{ head: [...head, "scanner caught"], rows }],
      notes: ["Seen and lost are the detector's own counters; PortSentry has none."],
      goals: turns.filter(({ contestant }) => contestant.name.startsWith("portsnare")).map((
        { contestant, results },
      ) => ({
        what: `Flood, ${contestant.name}`,
        goal: "the scanner in the middle of it is kept out",
        measured: caughtOf(results),
        reached: results.every(({ caught }) => caught),
        limit: `Between two of its probes came ${
          figure(median(results.map(({ sent }) => sent / seconds * SCAN_SECONDS / TRAP_PORTS.length)))
        } packets of the flood, where \`detect.max_sources\` is ${
          defaultConfig().detect.max_sources.toLocaleString("en-GB")
        }: the first may be forgotten before the second. ${
          figure(median(results.flatMap(({ lost }) => lost ?? [])))
        } packets were lost on the way to the detector.`,
      })),
    };
  },
};

function caughtOf(results: readonly Round[]): string {
  return `${results.filter(({ caught }) => caught).length} of ${results.length}`;
}

async function round(scene: Scene, running: Running, seconds: number): Promise<Round> {
  const rateBefore = requestsPerSecond(await scene.shortConnections(RATE_SECONDS));
  const cpuBefore = running.cpuSeconds();
  const rssBefore = running.rssKiB();
  const flooding = send(scene.scanner, {
    kind: "flood",
    source: FLOOD_SOURCE,
    dest: scene.server.ipv4,
    sourceBits: FLOOD_BITS,
    ports: FLOOD_PORTS,
    seconds,
  });
  await new Promise((resolve) => setTimeout(resolve, seconds * 500));
  const source = Scene.address(SCANNER_NUMBER);
  await send(scene.scanner, {
    kind: "sweep",
    source,
    dest: scene.server.ipv4,
    sources: 1,
    ports: TRAP_PORTS,
    by: "port",
    seconds: SCAN_SECONDS,
  });
  const { packets } = await flooding;
  const cpuSeconds = running.cpuSeconds() - cpuBefore;
  const grownKiB = running.rssKiB() - rssBefore;
  // What was written to it meanwhile must not count as being answered slowly: the same pause for everybody.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const counted = await running.counted();
  const banned = await running.banned();
  const rateAfter = ratio(requestsPerSecond(await scene.shortConnections(RATE_SECONDS)), rateBefore);
  return {
    sent: packets,
    cpuSeconds,
    grownKiB,
    banned,
    reported: counted?.reported,
    lost: counted?.lost,
    rateAfter,
    // By now a quarantine of five seconds is over: only a ban keeps it out.
    caught: !(await served(scene, source)),
  };
}

/** Whether an open port still answers this address. */
async function served(scene: Scene, source: string): Promise<boolean> {
  const port = String(OPEN_PORTS[1]);
  const nc = await scene.scanner.run(["nc", "-n", "-z", "-w", "2", "-s", source, scene.server.ipv4, port]);
  return nc.code === 0;
}

function percent(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 100;
}
