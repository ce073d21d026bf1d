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
import { type PacketCost, packetCosts } from "../measure/packet_cost.ts";
import { type Packets, packetsBetween, packetsOf } from "../measure/packets.ts";
import { median, medianBounds, ratio } from "../measure/statistics.ts";
import { Scene } from "../scene.ts";
import { type Slice, SteadyLoad } from "../traffic/steady_load.ts";
import { until } from "../../tests/lab/lab.ts";

/** One bulk transfer. */
const BULK_SECONDS = 1;
/** One slice of short connections. */
const SLICE_SECONDS = 0.2;
const BULK_PER_ROUND = 6;
const SLICES_PER_ROUND = 30;
const QUICK_TURNS = 2;
const QUICK_SLICES = 6;
const IPERF_PORT = 5201;
/** Plays twice: what the second one differs by is what the machine makes of equal things. */
const CONTROL = { ...none, name: "no detector, again" };
const LOWEST_SHARE = 0.99;

/** One turn: what was carried, and what it cost. */
interface Load {
  /** Gbit/s or connections a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Processor time of the detector. */
  readonly cpuSeconds: number;
  /** Of the server. */
  readonly packets: Packets;
  /** What the two ends did, of short connections. */
  readonly slice?: Slice;
}

/** A kind of traffic, and what everybody did of it. */
interface Kind {
  readonly title: string;
  readonly unit: string;
  readonly turns: readonly Turns<Load>[];
}

/** What portsnare puts into the way of packets, by contestant. */
type Costs = Awaited<ReturnType<typeof packetCosts>>;

/** See {@link Case}. */
export const traffic: Case = {
  name: "traffic",
  title: "3. Real traffic",
  about:
    "A bulk transfer (iperf3, one TCP connection) and short HTTP connections, one request each (wrk against nginx, 16 at a " +
    "time): what is carried, and the processor time of the detector and its children. Client and server keep to a " +
    "processor each; the detector does not. All contestants are up at the same time, each on hosts of its own, and work " +
    `in turn, ${BULK_SECONDS} s of bulk transfer or ${SLICE_SECONDS} s of short connections each, many times over: each turn ` +
    "is compared with those of no detector within seconds of it, so that what the machine does meanwhile meets both. In " +
    "brackets where the median of these ratios lies with 95 % certainty. No detector takes part twice: its second row " +
    "shows how far equal things differ here. Of short connections the processor time of client and server together is " +
    "measured as well, for each connection: what the kernel does for a detector with each packet is in it, and it hardly " +
    "depends on what else the machine does.",
  async run(field, { rounds, quick }): Promise<Report> {
    const entrants = only(field, "no detector", "PortSentry", "portsnare")
      .filter(({ name }) => !name.includes("trigger"));
    const players = [...entrants, CONTROL];
    const bulk: Kind = {
      title: "Bulk transfer",
      unit: "Gbit/s",
      turns: await takeSlices(players, {
        rounds: quick ? QUICK_TURNS : rounds * BULK_PER_ROUND,
        measure: ({ scene, running }) => transfer(scene, running),
      }),
    };
    const short: Kind = {
      title: "Short connections",
      unit: "/s",
      turns: await shortTurns(players, quick ? QUICK_SLICES : rounds * SLICES_PER_ROUND),
    };
    console.error("  the cost of a packet");
    const costs = await apart();
    return {
      tables: [table(bulk), table(short), endsTable(short), costsTable(costs)],
      notes: [
        `${bulk.turns[0]?.results.length} turns of bulk transfer each, ${
          short.turns[0]?.results.length
        } of short connections. The first ratio is to no detector, the last to PortSentry 1.2.`,
      ],
      goals: [...goals(bulk, costs), ...goals(short, costs)],
      gist: [
        gistOf("processor time for a second of short connections", short.turns, (results) => {
          return figure(cpuShare(results) * 1000, "ms");
        }),
      ],
    };
  },
};

/** Every contestant has a client of its own, of which one at a time is at work. */
async function shortTurns(
  players: readonly Contestant[],
  rounds: number,
): Promise<readonly Turns<Load>[]> {
  await using open = new AsyncDisposableStack();
  const loads = new Map<Scene, SteadyLoad>();
  return await takeSlices(players, {
    rounds,
    measure: async ({ scene, running }) => {
      const load = loads.get(scene) ?? open.use(await SteadyLoad.begin(scene));
      loads.set(scene, load);
      const before = running.cpuSeconds();
      const slice = await load.slice(SLICE_SECONDS);
      const { connections, seconds, packets } = slice;
      return {
        rate: connections / seconds,
        seconds,
        cpuSeconds: running.cpuSeconds() - before,
        packets,
        slice,
      };
    },
  });
}

/** On hosts where nothing else happens. */
async function apart(): Promise<Costs> {
  await using scene = await Scene.open();
  return await packetCosts(scene);
}

/** The detector's processor time for a second of work: all of it, because what it does by the clock falls into few turns. */
function cpuShare(results: readonly Load[]): number {
  const sum = (of: (load: Load) => number): number => results.reduce((total, load) => total + of(load), 0);
  return sum(({ cpuSeconds }) => cpuSeconds) / sum(({ seconds }) => seconds);
}

/** Processor time of both ends for a connection. */
function endsCost({ slice }: Load): number {
  return slice === undefined ? NaN : slice.endsSeconds / slice.connections;
}

/** A figure of each turn, as a share of the same without a detector in the same round. */
function shares(
  { turns }: Kind,
  { contestant, results }: Turns<Load>,
  of: (load: Load) => number,
): readonly number[] {
  const figures = (player: Contestant): readonly number[] =>
    turns.find((it) => it.contestant === player)?.results.map(of) ?? [];
  const [first, second] = [figures(none), figures(CONTROL)];
  return results.flatMap((turn, round) => {
    const [one, other] = [first[round], second[round]];
    if (one === undefined || other === undefined) return [];
    return [of(turn) / (contestant === CONTROL ? one : (one + other) / 2)];
  });
}

function share(values: readonly number[]): string {
  const bounds = medianBounds(values);
  const between = bounds === undefined ? NOTHING : `${figure(bounds[0])} to ${figure(bounds[1])}`;
  return `${times(median(values))} (${between})`;
}

function rateOf({ rate }: Load): number {
  return rate;
}

function table(kind: Kind): Table {
  const old = reference(kind.turns, { name: "PortSentry 1.2", of: cpuShare });
  return {
    title: kind.title,
    head: ["contestant", "carried", "ratio", "processor time", "ratio"],
    rows: kind.turns.map((turns) => [
      turns.contestant.name,
      figure(median(turns.results.map(rateOf)), kind.unit),
      turns.contestant === none ? times(1) : share(shares(kind, turns, rateOf)),
      figure(cpuShare(turns.results) * 1000, "ms/s"),
      times(ratio(cpuShare(turns.results), old)),
    ]),
  };
}

function endsTable(short: Kind): Table {
  return {
    title: "Short connections, at both ends",
    head: ["contestant", "processor time for a connection", "ratio"],
    rows: short.turns.map((turns) => [
      turns.contestant.name,
      figure((median(turns.results.map(endsCost)) ?? NaN) * 1e6, "µs"),
      turns.contestant === none ? times(1) : share(shares(short, turns, endsCost)),
    ]),
  };
}

function costsTable(costs: Costs): Table {
  return {
    title: "What a packet costs more, measured apart",
    head: ["what is in its way", "in", "out"],
    rows: [...costs].map(([obstacle, cost]) => [obstacle, figure(cost.in, "ns"), figure(cost.out, "ns")]),
  };
}

function goals(kind: Kind, costs: Costs): readonly Goal[] {
  const control = kind.turns.find(({ contestant }) => contestant === CONTROL);
  const old = reference(kind.turns, { name: "PortSentry 1.2", of: cpuShare });
  return kind.turns.filter(({ contestant }) => contestant.name.startsWith("portsnare")).flatMap((turns) => {
    const { contestant, results } = turns;
    const what = `${kind.title}, ${contestant.name}`;
    const values = shares(kind, turns, rateOf);
    const highest = medianBounds(values)?.[1] ?? Infinity;
    return [
      {
        what: `${what}: carried`,
        goal: `at least ${times(LOWEST_SHARE)} of what is carried without a detector`,
        measured: share(values),
        reached: (median(values) ?? 0) >= LOWEST_SHARE || (highest < LOWEST_SHARE ? false : undefined),
        limit:
          `No detector at all, measured a second time, carries ${
            share(control === undefined ? [] : shares(kind, control, rateOf))
          }; portsnare used ${
            figure(cpuShare(results) * 1000, "ms")
          } of processor time a second meanwhile. ` +
          inTheWay(turns, costs) + (results.some(({ slice }) => slice) ? ` ${atBothEnds(kind, turns)}` : ""),
      },
      ...ratioGoal({
        what: `${what}: processor time`,
        atMost: 0.1,
        of: "PortSentry 1.2",
        measured: ratio(cpuShare(results), old),
        limit: `It is ${
          figure(cpuShare(results) * 1000, "ms/s")
        }; an idle process of the runtime is in case 6.`,
      }),
    ];
  });
}

/** What the kernel does for a contestant with the packets of a second, from what one of them costs. */
function inTheWay({ contestant, results }: Turns<Load>, costs: Costs): string {
  const seconds = results.reduce((sum, turn) => sum + turn.seconds, 0);
  const perSecond = (way: keyof Packets): number =>
    results.reduce((sum, { packets }) => sum + packets[way], 0) / seconds;
  const packets = { in: perSecond("in"), out: perSecond("out") };
  const obstacles = contestant.name.includes("raw")
    ? ["packet socket", "rules, raw engine"] as const
    : ["rules, kernel engine"] as const;
  let total = 0;
  const parts = obstacles.map((obstacle) => {
    const cost: PacketCost = costs.get(obstacle) ?? { in: NaN, out: NaN };
    total += (cost.in * packets.in + cost.out * packets.out) / 1e9;
    return `the ${obstacle} ${figure(cost.in, "ns")} and ${figure(cost.out, "ns")}`;
  });
  return `In a second ${figure(packets.in)} packets came in and ${
    figure(packets.out)
  } went out. Measured apart, ` +
    `each of them costs ${parts.join(", ")}: in all ${
      figure(total * 100, "%")
    } of one of the two processors that are at work.`;
}

/** What a connection costs client and server more, kernel and all. */
function atBothEnds(short: Kind, turns: Turns<Load>): string {
  const alone = short.turns.find(({ contestant }) => contestant === none)?.results ?? [];
  return `A connection takes both ends ${
    share(shares(short, turns, endsCost))
  } of the processor time that it takes without a detector, which is ${
    figure((median(alone.map(endsCost)) ?? NaN) * 1e6, "µs")
  }.`;
}

/** One transfer. */
async function transfer({ server, client }: Scene, running: Running): Promise<Load> {
  const before = { cpuSeconds: running.cpuSeconds(), packets: packetsOf(server) };
  const child = server.spawn(pinned("server", ["iperf3", "-s", "-1", "-p", String(IPERF_PORT)]), {
    stdout: "null",
    stderr: "null",
  });
  await until("iperf3 listens", async () => (await server.out(["ss", "-Hltn"])).includes(`:${IPERF_PORT} `));
  const iperf3 = ["iperf3", "-J", "-c", server.ipv4, "-p", String(IPERF_PORT), "-t", String(BULK_SECONDS)];
  const rate = gigabits(await client.out(pinned("client", iperf3), { seconds: BULK_SECONDS + 30 }));
  await child.status;
  return {
    rate,
    seconds: BULK_SECONDS,
    cpuSeconds: running.cpuSeconds() - before.cpuSeconds,
    packets: packetsBetween(before.packets, packetsOf(server)),
  };
}
