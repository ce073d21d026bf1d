/**
 * Case 3: what a detector costs while the host does its work.
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
  takeSlices,
  type Turns,
} from "../case.ts";
import type { Contestant, Running } from "../contestants/contestant.ts";
import { none } from "../contestants/none.ts";
import { pinned } from "../measure/cpus.ts";
import { figure, NOTHING, type Table, times } from "../measure/format.ts";
import { gigabits } from "../measure/iperf3.ts";
import { median, medianBounds, ratio } from "../measure/statistics.ts";
import { requestsPerSecond } from "../measure/wrk.ts";
import type { Scene } from "../scene.ts";
import { until } from "../../tests/lab/lab.ts";

/** Of each kind of traffic, for each contestant, in each of its turns. */
const SECONDS = 1;
const TURNS_PER_ROUND = 6;
const QUICK_TURNS = 2;
const IPERF_PORT = 5201;
/** Plays twice: what the second one differs by is what the machine makes of equal things. */
const CONTROL = { ...none, name: "no detector, again" };
const LOWEST_SHARE = 0.99;

/** One turn of one contestant. */
interface Turn {
  readonly bulk: Load;
  readonly short: Load;
}

/** What was carried, and what it cost the detector. */
interface Load {
  /** Gbit/s or connections a second. */
  readonly rate: number;
  readonly cpuSeconds: number;
}

/** A kind of traffic. */
interface Kind {
  readonly title: string;
  readonly unit: string;
  readonly of: (turn: Turn) => Load;
}

const BULK: Kind = { title: "Bulk transfer", unit: "Gbit/s", of: ({ bulk }) => bulk };
const SHORT: Kind = { title: "Short connections", unit: "/s", of: ({ short }) => short };

/** See {@link Case}. */
export const traffic: Case = {
  name: "traffic",
  title: "3. Real traffic",
  about:
    "A bulk transfer (iperf3, one TCP connection) and short HTTP connections, one request each (wrk against nginx, 16 at a " +
    "time): what is carried, and the processor time of the detector and its children. Client and server keep to a " +
    "processor each; the detector does not. All contestants are up at the same time, each on hosts of its own, and work " +
    `in turn for ${SECONDS} s each, many times over: each turn is compared with those of no detector within seconds of it, ` +
    "so that what the machine does meanwhile meets both. In brackets where the median of these ratios lies with 95 % " +
    "certainty. No detector takes part twice: its second row shows how far equal things differ here.",
  async run(field, { rounds, quick }): Promise<Report> {
    const entrants = only(field, "no detector", "PortSentry", "portsnare")
      .filter(({ name }) => !name.includes("trigger"));
    const turns = await takeSlices([...entrants, CONTROL], {
      rounds: quick ? QUICK_TURNS : rounds * TURNS_PER_ROUND,
      measure: async ({ scene, running }) => ({
        bulk: await measure(running, () => bulk(scene)),
        short: await measure(running, async () => requestsPerSecond(await scene.shortConnections(SECONDS))),
      }),
    });
    return {
      tables: [BULK, SHORT].map((kind) => table(turns, kind)),
      notes: [
        `${
          turns[0]?.results.length
        } turns each. The first ratio is to no detector, the second to PortSentry 1.2.`,
      ],
      goals: [BULK, SHORT].flatMap((kind) => goals(turns, kind)),
      gist: [
        gistOf("processor time for a second of short connections", turns, (results) => {
          return figure((cpuOf(SHORT)(results) ?? NaN) / SECONDS * 1000, "ms");
        }),
      ],
    };
  },
};

function cpuOf({ of }: Kind): (results: readonly Turn[]) => number | undefined {
  return (results) => median(results.map((turn) => of(turn).cpuSeconds));
}

/** What was carried, of what was carried without a detector, turn by turn. */
function shares(
  turns: readonly Turns<Turn>[],
  kind: Kind,
  { contestant, results }: Turns<Turn>,
): readonly number[] {
  const rates = (of: Contestant): readonly number[] =>
    turns.find((it) => it.contestant === of)?.results.map((turn) => kind.of(turn).rate) ?? [];
  const [first, second] = [rates(none), rates(CONTROL)];
  return results.flatMap((turn, round) => {
    const [one, other] = [first[round], second[round]];
    if (one === undefined || other === undefined) return [];
    return [kind.of(turn).rate / (contestant === CONTROL ? one : (one + other) / 2)];
  });
}

function share(values: readonly number[]): string {
  const bounds = medianBounds(values);
  const between = bounds === undefined ? NOTHING : `${figure(bounds[0])} to ${figure(bounds[1])}`;
  return `${times(median(values))} (${between})`;
}

function table(turns: readonly Turns<Turn>[], kind: Kind): Table {
  const old = reference(turns, { name: "PortSentry 1.2", of: cpuOf(kind) });
  return {
    title: kind.title,
    head: ["contestant", "carried", "ratio", "processor time", "ratio"],
    rows: turns.map(({ contestant, results }) => [
      contestant.name,
      figure(median(results.map((turn) => kind.of(turn).rate)), kind.unit),
      contestant === none ? times(1) : share(shares(turns, kind, { contestant, results })),
      figure((cpuOf(kind)(results) ?? NaN) / SECONDS * 1000, "ms/s"),
      times(ratio(cpuOf(kind)(results), old)),
    ]),
  };
}

function goals(turns: readonly Turns<Turn>[], kind: Kind): readonly Goal[] {
  const control = turns.find(({ contestant }) => contestant === CONTROL);
  const old = reference(turns, { name: "PortSentry 1.2", of: cpuOf(kind) });
  return turns.filter(({ contestant }) => contestant.name.startsWith("portsnare")).flatMap(
    ({ contestant, results }) => {
      const what = `${kind.title}, ${contestant.name}`;
      const values = shares(turns, kind, { contestant, results });
      const highest = medianBounds(values)?.[1] ?? Infinity;
      return [
        {
          what: `${what}: carried`,
          goal: `at least ${times(LOWEST_SHARE)} of what is carried without a detector`,
          measured: share(values),
          reached: (median(values) ?? 0) >= LOWEST_SHARE || (highest < LOWEST_SHARE ? false : undefined),
          limit:
            `No detector at all, measured a second time, carries ${
              share(control === undefined ? [] : shares(turns, kind, control))
            }; ` +
            `portsnare used ${
              figure((cpuOf(kind)(results) ?? NaN) / SECONDS * 1000, "ms")
            } of processor time a second meanwhile.`,
        },
        ...ratioGoal({
          what: `${what}: processor time`,
          atMost: 0.1,
          of: "PortSentry 1.2",
          measured: ratio(cpuOf(kind)(results), old),
          limit: `It is ${
            figure((cpuOf(kind)(results) ?? NaN) / SECONDS * 1000, "ms/s")
          }; an idle process of the runtime is in case 6.`,
        }),
      ];
    },
  );
}

async function measure(running: Running, work: () => Promise<number>): Promise<Load> {
  const before = running.cpuSeconds();
  const rate = await work();
  return { rate, cpuSeconds: running.cpuSeconds() - before };
}

async function bulk({ server, client }: Scene): Promise<number> {
  const child = server.spawn(pinned("server", ["iperf3", "-s", "-1", "-p", String(IPERF_PORT)]), {
    stdout: "null",
    stderr: "null",
  });
  await until("iperf3 listens", async () => (await server.out(["ss", "-Hltn"])).includes(`:${IPERF_PORT} `));
  const iperf3 = ["iperf3", "-J", "-c", server.ipv4, "-p", String(IPERF_PORT), "-t", String(SECONDS)];
  const rate = gigabits(await client.out(pinned("client", iperf3), { seconds: SECONDS + 30 }));
  await child.status;
  return rate;
}
