/**
 * Case 3: what a detector costs while the host does its work.
 * @module
 */
import { type Case, reference, type Report, takeTurns, type Turns } from "../case.ts";
import { only } from "../case.ts";
import type { Running } from "../contestants/contestant.ts";
import { figure, type Table, times } from "../measure/format.ts";
import { gigabits } from "../measure/iperf3.ts";
import { median, ratio } from "../measure/statistics.ts";
import { requestsPerSecond } from "../measure/wrk.ts";
import type { Scene } from "../scene.ts";
import { until } from "../../tests/lab/lab.ts";

const SECONDS = 5;
const QUICK_SECONDS = 2;
const IPERF_PORT = 5201;

/** One round of one contestant. */
interface Round {
  readonly bulk: Load;
  readonly short: Load;
}

/** What was carried, and what it cost the detector. */
interface Load {
  /** Gbit/s or connections a second. */
  readonly rate: number;
  readonly cpuSeconds: number;
}

/** See {@link Case}. */
export const traffic: Case = {
  name: "traffic",
  title: "3. Real traffic",
  about:
    `A bulk transfer (iperf3, one TCP connection, ${SECONDS} s) and short HTTP connections, one request each (wrk against ` +
    `nginx, 16 at a time, ${SECONDS} s): what is carried, and the processor time of the detector and its children.`,
  async run(field, { rounds, quick }): Promise<Report> {
    const seconds = quick ? QUICK_SECONDS : SECONDS;
    const turns = await takeTurns(
      only(field, "no detector", "PortSentry", "portsnare kernel", "portsnare raw")
        .filter(({ name }) => !name.includes("trigger")),
      {
        rounds,
        measure: async (scene, running) => ({
          bulk: await measure(running, () => bulk(scene, seconds)),
          short: await measure(running, async () => requestsPerSecond(await scene.shortConnections(seconds))),
        }),
      },
    );
    return {
      tables: [
        table(turns, { title: "Bulk transfer", unit: "Gbit/s", of: (round) => round.bulk }),
        table(turns, { title: "Short connections", unit: "/s", of: (round) => round.short }),
      ],
      notes: ["The first ratio is to no detector, the second to PortSentry 1.2."],
    };
  },
};

function table(
  turns: readonly Turns<Round>[],
  options: { readonly title: string; readonly unit: string; readonly of: (round: Round) => Load },
): Table {
  const rate = (rounds: readonly Round[]): number | undefined =>
    median(rounds.map((round) => options.of(round).rate));
  const cpu = (rounds: readonly Round[]): number | undefined =>
    median(rounds.map((round) => options.of(round).cpuSeconds));
  const free = reference(turns, { name: "no detector", of: rate });
  const old = reference(turns, { name: "PortSentry 1.2", of: cpu });
  return {
    title: options.title,
    head: ["contestant", "carried", "ratio", "processor time", "ratio"],
    rows: turns.map(({ contestant, results }) => [
      contestant.name,
      figure(rate(results), options.unit),
      times(ratio(rate(results), free)),
      figure(cpu(results), "s"),
      times(ratio(cpu(results), old)),
    ]),
  };
}

async function measure(running: Running, work: () => Promise<number>): Promise<Load> {
  const before = running.cpuSeconds();
  const rate = await work();
  return { rate, cpuSeconds: running.cpuSeconds() - before };
}

async function bulk({ server, client }: Scene, seconds: number): Promise<number> {
  const child = server.spawn(["iperf3", "-s", "-1", "-p", String(IPERF_PORT)], {
    stdout: "null",
    stderr: "null",
  });
  await until("iperf3 listens", async () => (await server.out(["ss", "-Hltn"])).includes(`:${IPERF_PORT} `));
  const iperf3 = ["iperf3", "-J", "-c", server.ipv4, "-p", String(IPERF_PORT), "-t", String(seconds)];
  const rate = gigabits(await client.out(iperf3, { seconds: seconds + 30 }));
  await child.status;
  return rate;
}
