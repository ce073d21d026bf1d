/**
 * What a case of the comparison is, and how it takes turns.
 * @module
 */
import type { Contestant, Running } from "./contestants/contestant.ts";
import { type Table, times } from "./measure/format.ts";
import { Scene } from "./scene.ts";

/** How much is measured. */
export interface Effort {
  /** How often each contestant has its turn. */
  readonly rounds: number;
  /** Less of everything, to see that it works. */
  readonly quick: boolean;
}

/** What a case has to say. */
export interface Report {
  readonly tables: readonly Table[];
  /** Sentences that belong to them. */
  readonly notes: readonly string[];
  /** What portsnare is to reach in this case. */
  readonly goals?: readonly Goal[];
  /** What of this the README tells. */
  readonly gist?: readonly Gist[];
}

/** Something that portsnare is to reach, and whether it does. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  /** `undefined`: what was measured does not say. */
  readonly reached: boolean | undefined;
  /** What limits it, with figures; told where it is not known to be reached. */
  readonly limit: string;
}

/** A goal of staying below a multiple of another's figure; none where that cannot be said. */
export function ratioGoal(
  { what, atMost, of, measured, limit }: {
    readonly what: string;
    readonly atMost: number;
    /** Whose figure it is compared with. */
    readonly of: string;
    readonly measured: number | undefined;
    readonly limit: string;
  },
): readonly Goal[] {
  if (measured === undefined) return [];
  const goal = `at most ${times(atMost)} that of ${of}`;
  return [{ what, goal, measured: times(measured), reached: measured <= atMost, limit }];
}

/** One row of the short table: a figure of each contestant, by its name. */
export interface Gist {
  readonly what: string;
  readonly of: ReadonlyMap<string, string>;
}

/** One thing to measure. */
export interface Case {
  /** Its name on the command line. */
  readonly name: string;
  /** Its heading. */
  readonly title: string;
  /** What is done and what is counted. */
  readonly about: string;
  /** Measure it. */
  run(field: readonly Contestant[], effort: Effort): Promise<Report>;
}

/** A contestant and what was measured of it, one entry a round. */
export interface Turns<T> {
  readonly contestant: Contestant;
  readonly results: readonly T[];
}

/**
 * Let the contestants take turns, each on fresh hosts, so that whatever else this machine does meets all of them alike.
 *
 * @param field Who takes part.
 * @param options `measure` is given the hosts and the contestant at work.
 */
export async function takeTurns<T>(
  field: readonly Contestant[],
  options: {
    readonly rounds: number;
    readonly measure: (scene: Scene, running: Running, contestant: Contestant) => Promise<T>;
  },
): Promise<readonly Turns<T>[]> {
  const turns = field.map((contestant) => ({ contestant, results: new Array<T>() }));
  for (let round = 1; round <= options.rounds; round++) {
    for (const { contestant, results } of turns) {
      console.error(`  round ${round} of ${options.rounds}: ${contestant.name}`);
      await using scene = await Scene.open();
      await using running = await contestant.start(scene.server);
      results.push(await options.measure(scene, running, contestant));
    }
  }
  return turns;
}

/** A contestant at work, on hosts of its own. */
export interface Entrant {
  readonly contestant: Contestant;
  readonly scene: Scene;
  readonly running: Running;
}

/** Have all contestants up at the same time while `body` runs. */
export async function together<R>(
  field: readonly Contestant[],
  body: (entrants: readonly Entrant[]) => Promise<R>,
): Promise<R> {
  await using open = new AsyncDisposableStack();
  const entrants: Entrant[] = [];
  for (const contestant of field) {
    const scene = open.use(await Scene.open());
    entrants.push({ contestant, scene, running: open.use(await contestant.start(scene.server)) });
  }
  return await body(entrants);
}

/**
 * Let the contestants take many short turns, all of them up from the first to the last: for figures that are close
 * together, where the machine changes more in a minute than the contestants differ.
 *
 * @param field Who takes part.
 * @param options `measure` is given one at work; while it runs, nobody else has anything to do.
 */
export async function takeSlices<T>(
  field: readonly Contestant[],
  options: { readonly rounds: number; readonly measure: (entrant: Entrant) => Promise<T> },
): Promise<readonly Turns<T>[]> {
  return await together(field, async (entrants) => {
    const turns = entrants.map((entrant) => ({ ...entrant, results: new Array<T>() }));
    for (let round = 0; round < options.rounds; round++) {
      console.error(`  round ${round + 1} of ${options.rounds}`);
      // Each goes first once: whatever follows from the order meets all alike.
      const first = round % turns.length;
      for (const turn of [...turns.slice(first), ...turns.slice(0, first)]) {
        turn.results.push(await options.measure(turn));
      }
    }
    return turns;
  });
}

/** The figure that others are compared with: that of the contestant whose name begins so. */
export function reference<T>(
  turns: readonly Turns<T>[],
  options: { readonly name: string; readonly of: (results: readonly T[]) => number | undefined },
): number | undefined {
  const found = turns.find(({ contestant }) => contestant.name.startsWith(options.name));
  return found === undefined ? undefined : options.of(found.results);
}

/** A row of the short table from everybody's results. */
export function gistOf<T>(
  what: string,
  turns: readonly Turns<T>[],
  of: (results: readonly T[], contestant: Contestant) => string,
): Gist {
  return {
    what,
    of: new Map(turns.map(({ contestant, results }) => [contestant.name, of(results, contestant)])),
  };
}

/** The contestants by the beginnings of their names. */
export function only(field: readonly Contestant[], ...names: readonly string[]): readonly Contestant[] {
  return field.filter(({ name }) => names.some((wanted) => name.startsWith(wanted)));
}
