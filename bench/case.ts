/**
 * What a case of the comparison is, and how it takes turns.
 * @module
 */
import type { Contestant, Running } from "./contestants/contestant.ts";
import type { Table } from "./measure/format.ts";
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

/** The figure that others are compared with: that of the contestant whose name begins so. */
export function reference<T>(
  turns: readonly Turns<T>[],
  options: { readonly name: string; readonly of: (results: readonly T[]) => number | undefined },
): number | undefined {
  const found = turns.find(({ contestant }) => contestant.name.startsWith(options.name));
  return found === undefined ? undefined : options.of(found.results);
}

/** The contestants by the beginnings of their names. */
export function only(field: readonly Contestant[], ...names: readonly string[]): readonly Contestant[] {
  return field.filter(({ name }) => names.some((wanted) => name.startsWith(wanted)));
}
