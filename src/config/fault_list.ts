/**
 * The faults of one file, within bounds: a file full of garbage must not become a log full of it.
 * @module
 */
import type { Fault } from "../errors.ts";

/** So many are named; the others are counted. */
export const MAX_FAULTS = 100;

/** The first of a file's faults, and how many more there are. */
export function boundedFaults(faults: readonly Fault[]): readonly Fault[] {
  const next = faults[MAX_FAULTS];
  if (next === undefined) return faults;
  const message = `${faults.length - MAX_FAULTS} more faults`;
  return [...faults.slice(0, MAX_FAULTS), { file: next.file, line: 0, column: 0, message }];
}

/** Gathers the faults of one file. */
export class FaultList {
  readonly #file: string;
  readonly #faults: Fault[] = [];
  #named = 0;
  #more = 0;

  /** None yet. `file`: the path as the user wrote it. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Something is wrong with a line. The message is made only if it is told; `column` is 1 unless it is known better. */
  add(line: number, message: () => string, column = 1): void {
    if (this.#named++ < MAX_FAULTS) this.#faults.push({ file: this.#file, line, column, message: message() });
    else this.#more++;
  }

  /** Something that is said however much has been said before, such as why the rest of the file is not read. */
  say(line: number, message: string): void {
    this.#faults.push({ file: this.#file, line, column: 1, message });
  }

  /** What was gathered, by line; at its end how many more there are. */
  list(): readonly Fault[] {
    const faults = this.#faults.toSorted((a, b) => a.line - b.line);
    if (this.#more === 0) return faults;
    const message = `${this.#more} more faults`;
    return [...faults, { file: this.#file, line: 0, column: 0, message }];
  }
}
