/**
 * Case 6: what a detector needs before anything happens.
 * @module
 */
import { type Case, gistOf, only, type Report, takeTurns } from "../case.ts";
import { figure, megabytes } from "../measure/format.ts";
import { median } from "../measure/statistics.ts";

/** Until start-up work is over. */
const SETTLE_MS = 2000;
const IDLE_SECONDS = 3;

/** See {@link Case}. */
export const footprint: Case = {
  name: "footprint",
  title: "6. Footprint",
  about:
    `Memory ${
      SETTLE_MS / 1000
    } s after the start, processor time while nothing happens, time from the start of the ` +
    "process to its word that it watches, and the size of the program. Memory after many scanners is in case 5.",
  async run(field, { rounds }): Promise<Report> {
    const turns = await takeTurns(
      only(field, "PortSentry", "portsnare").filter(({ name }) => !name.includes("trigger")),
      {
        rounds,
        measure: async (_scene, running) => {
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
          const before = running.cpuSeconds();
          await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
          return {
            startMs: running.startMs,
            rssKiB: running.rssKiB(),
            idleCpuPerSecond: (running.cpuSeconds() - before) / IDLE_SECONDS,
          };
        },
      },
    );
    const rows = await Promise.all(turns.map(async ({ contestant, results }) => {
      const bytes = await contestant.diskBytes();
      return [
        contestant.name,
        megabytes(median(results.map(({ rssKiB }) => rssKiB))),
        figure(median(results.map(({ idleCpuPerSecond }) => idleCpuPerSecond * 1000)), "ms/s"),
        figure(median(results.map(({ startMs }) => startMs)), "ms"),
        megabytes(bytes === undefined ? undefined : bytes / 1024),
      ];
    }));
    return {
      tables: [{ head: ["contestant", "memory", "idle processor time", "start to armed", "program"], rows }],
      notes: ["PortSentry 1.2 is two processes, one for TCP and one for UDP: their memory is added up."],
      gist: [
        gistOf(
          "memory when idle",
          turns,
          (results) => megabytes(median(results.map(({ rssKiB }) => rssKiB))),
        ),
        gistOf(
          "start to armed",
          turns,
          (results) => figure(median(results.map(({ startMs }) => startMs)), "ms"),
        ),
      ],
    };
  },
};
