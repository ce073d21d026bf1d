/**
 * Case 1: how long a scanner is still answered after its first trapped packet.
 * @module
 */
import {
  type Case,
  type Effort,
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
import { figure, type Table, times } from "../measure/format.ts";
import { type Stages, stagesDuring } from "../measure/stages.ts";
import { largest, median, ratio } from "../measure/statistics.ts";
import { OPEN_PORTS, Scene, TRAP_PORTS } from "../scene.ts";
import { captureOn } from "../traffic/capture.ts";
import { sendEach } from "../traffic/job.ts";
import { openingPackets, type Reaction, reactionOf } from "../traffic/reaction.ts";

const [OPEN_PORT = 80] = OPEN_PORTS.slice(1);
const BEAT_MS = 0.1;
const BEATS = 400;
const TRAPPED_AFTER = 50;
const TRIALS = 12;
const FIRST_NUMBER = 100;

type Trials = Readonly<Record<4 | 6, readonly Reaction[]>>;

/** See {@link Case}. */
export const reaction: Case = {
  name: "reaction",
  title: "1. Reaction",
  about:
    `The scanner sends a SYN to an open port every ${BEAT_MS} ms; after ${TRAPPED_AFTER} of them it asks for ` +
    `${TRAP_PORTS.length} closed ports, ${BEAT_MS} ms apart. Measured on its side: the time from the first of these to ` +
    "the first packet after which nothing is answered any more, and how many packets to the open port were still " +
    "answered in between. Each trial comes from an address that was not seen before. The scanner has a processor for " +
    "itself, in real time, as if it were another machine.",
  async run(field, effort): Promise<Report> {
    const turns = await takeTurns(only(field, "PortSentry", "portsnare"), {
      rounds: effort.rounds,
      measure: (scene) => trials(scene, effort),
    });
    const stages = await stagesOfRaw(effort);
    const [old4, old6] = ([4, 6] as const).map((family) =>
      reference(turns, { name: "PortSentry 1.2", of: (results) => silentMs(results, family) })
    );
    const rows = turns.flatMap(({ contestant, results }) =>
      ([4, 6] as const).map((family) =>
        row(contestant, {
          family,
          all: results.flatMap((result) => result[family]),
          silentMs: silentMs(results, family),
          reference: family === 4 ? old4 : old6,
        })
      )
    );
    const head = ["contestant", "", "silent after", "ratio", "longest", "still answered", "never silenced"];
    const table: Table = { head, rows };
    return {
      tables: [table, stagesTable(stages)],
      notes: [
        `The beat is the resolution: silence after ${BEAT_MS} ms or less means that no packet after the first was answered. ` +
        "The ratio is to PortSentry 1.2.",
      ],
      goals: goals(turns, old4, stages),
      gist: ([4, 6] as const).map((family) =>
        gistOf(`packets answered after the first trapped one, IPv${family}`, turns, (results) => {
          const all = results.flatMap((result) => result[family]);
          return all.every(({ silentAfterMs }) => silentAfterMs === undefined)
            ? "never silenced"
            : figure(median(all.map(({ answered }) => answered)));
        })
      ),
    };
  },
};

function silentMs(results: readonly Trials[], family: 4 | 6): number | undefined {
  return median(
    results.flatMap((result) => result[family].flatMap(({ silentAfterMs }) => silentAfterMs ?? [])),
  );
}

/** The same scanners, seen by a process that is made of the raw engine's parts. */
async function stagesOfRaw(effort: Effort): Promise<readonly Stages[]> {
  console.error("  the stages of portsnare raw");
  await using scene = await Scene.open();
  return await stagesDuring(scene.server, () => trials(scene, effort));
}

const STAGES = {
  wake: "from the packet's arrival to our code",
  judge: "to understand and judge it",
  ask: "to ask the kernel who owns the port, and whether the packet was translated",
  hold: "until the kernel has acknowledged the quarantine",
} as const;

function stagesTable(stages: readonly Stages[]): Table {
  const parts = Object.entries(STAGES).map(([stage, what]) => {
    // The entries are those of the constant above.
    const values = stages.map((each) => each[stage as keyof Stages]);
    return [what, figure(median(values), "ms"), figure(largest(values), "ms")];
  });
  const sums = stages.map(sumOf);
  return {
    title: `The raw engine's time, stage by stage, for ${stages.length} new scanners`,
    head: ["stage", "median", "longest"],
    rows: [...parts, ["all of it", figure(median(sums), "ms"), figure(largest(sums), "ms")]],
  };
}

function sumOf({ wake, judge, ask, hold }: Stages): number {
  return wake + judge + ask + hold;
}

function goals(
  turns: readonly Turns<Trials>[],
  old4: number | undefined,
  stages: readonly Stages[],
): readonly Goal[] {
  const of = (name: string) => turns.find(({ contestant }) => contestant.name === name)?.results ?? [];
  const [kernel, raw] = [of("portsnare kernel"), of("portsnare raw")];
  const answered = kernel.flatMap((result) => [...result[4], ...result[6]]).map((it) => it.answered);
  return [
    ...kernel.length === 0 ? [] : [{
      what: "Reaction, kernel engine",
      goal: "no packet answered after the first trapped one",
      measured: `${figure(largest(answered))} at most, in ${answered.length} trials`,
      reached: largest(answered) === 0,
      limit: `${
        answered.filter((count) => count > 0).length
      } of ${answered.length} trials were answered once more.`,
    }],
    ...ratioGoal({
      what: "Reaction, raw engine",
      atMost: 0.2,
      of: "PortSentry 1.2",
      measured: ratio(silentMs(raw, 4), old4),
      limit: `Of its ${figure(silentMs(raw, 4), "ms")}, a process made of the raw engine's parts needs ${
        figure(median(stages.map(sumOf)), "ms")
      } until the first packet of a new scanner has put it into quarantine: ${
        Object.entries(STAGES).map(([stage, what]) =>
          `${figure(median(stages.map((each) => each[stage as keyof Stages])), "ms")} ${what}`
        ).join(", ")
      }. The rest is the wait for the scanner's next packet, ${figure(BEAT_MS, "ms")} at most.`,
    }),
  ];
}

function row(
  contestant: Contestant,
  options: {
    readonly family: 4 | 6;
    readonly all: readonly Reaction[];
    readonly silentMs: number | undefined;
    readonly reference: number | undefined;
  },
): readonly string[] {
  const { family, all, silentMs } = options;
  const longest = largest(all.flatMap(({ silentAfterMs }) => silentAfterMs ?? []));
  const never = all.filter(({ silentAfterMs }) => silentAfterMs === undefined).length;
  return [
    contestant.name,
    `IPv${family}`,
    figure(silentMs, "ms"),
    times(ratio(silentMs, options.reference)),
    figure(longest, "ms"),
    figure(median(all.map(({ answered }) => answered)), "packets"),
    `${never} of ${all.length}`,
  ];
}

async function trials(scene: Scene, effort: Effort): Promise<Trials> {
  const numbers = Array.from({ length: effort.quick ? 2 : TRIALS }, (_, trial) => FIRST_NUMBER + trial);
  await using capture = await captureOn(scene.scanner, "tcp");
  const families = [4, 6] as const;
  await sendEach(
    scene.scanner,
    families.flatMap((family) =>
      numbers.map((number) => ({
        kind: "beat" as const,
        source: Scene.address(number, family),
        dest: family === 4 ? scene.server.ipv4 : scene.server.ipv6,
        openPort: OPEN_PORT,
        beatMs: BEAT_MS,
        beats: BEATS,
        trappedAfter: TRAPPED_AFTER,
        trapPorts: TRAP_PORTS,
      }))
    ),
    { undisturbed: true },
  );
  const packets = await openingPackets(await capture.finish());
  const found = (family: 4 | 6): readonly Reaction[] =>
    numbers.map((number) =>
      reactionOf(packets, { scanner: Scene.address(number, family), openPort: OPEN_PORT })
    );
  return { 4: found(4), 6: found(6) };
}
