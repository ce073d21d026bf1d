/**
 * Case 1: how long a scanner is still answered after its first trapped packet.
 * @module
 */
import { type Case, type Effort, only, reference, type Report, takeTurns } from "../case.ts";
import type { Contestant } from "../contestants/contestant.ts";
import { figure, type Table, times } from "../measure/format.ts";
import { largest, median, ratio } from "../measure/statistics.ts";
import { OPEN_PORTS, Scene, TRAP_PORTS } from "../scene.ts";
import { captureOn } from "../traffic/capture.ts";
import { send } from "../traffic/job.ts";
import { openingPackets, type Reaction, reactionOf } from "../traffic/reaction.ts";

const [OPEN_PORT = 80] = OPEN_PORTS.slice(1);
const BEAT_MS = 0.1;
const BEATS = 400;
const TRAPPED_AFTER = 50;
const TRIALS = 8;
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
    "answered in between. Each trial comes from an address that was not seen before.",
  async run(field, effort): Promise<Report> {
    const turns = await takeTurns(only(field, "PortSentry", "portsnare"), {
      rounds: effort.rounds,
      measure: (scene) => trials(scene, effort),
    });
    const silent = (family: 4 | 6) => (results: readonly Trials[]) =>
      median(results.flatMap((result) => result[family].flatMap(({ silentAfterMs }) => silentAfterMs ?? [])));
    const [old4, old6] = ([4, 6] as const).map((family) =>
      reference(turns, { name: "PortSentry 1.2", of: silent(family) })
    );
    const rows = turns.flatMap(({ contestant, results }) =>
      ([4, 6] as const).map((family) =>
        row(contestant, {
          family,
          all: results.flatMap((result) => result[family]),
          silentMs: silent(family)(results),
          reference: family === 4 ? old4 : old6,
        })
      )
    );
    const head = ["contestant", "", "silent after", "ratio", "longest", "still answered", "never silenced"];
    const table: Table = { head, rows };
    return {
      tables: [table],
      notes: [
        `The beat is the resolution: silence after ${BEAT_MS} ms or less means that no packet after the first was answered. ` +
        "The ratio is to PortSentry 1.2.",
      ],
    };
  },
};

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
  for (const family of [4, 6] as const) {
    for (const number of numbers) {
      await send(scene.scanner, {
        kind: "beat",
        source: Scene.address(number, family),
        dest: family === 4 ? scene.server.ipv4 : scene.server.ipv6,
        openPort: OPEN_PORT,
        beatMs: BEAT_MS,
        beats: BEATS,
        trappedAfter: TRAPPED_AFTER,
        trapPorts: TRAP_PORTS,
      });
    }
  }
  const packets = await openingPackets(await capture.finish());
  const found = (family: 4 | 6): readonly Reaction[] =>
    numbers.map((number) =>
      reactionOf(packets, { scanner: Scene.address(number, family), openPort: OPEN_PORT })
    );
  return { 4: found(4), 6: found(6) };
}
