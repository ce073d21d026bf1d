/**
 * Finds the known name that somebody meant who wrote an unknown one.
 * @module
 */

/** Longer names are not compared: the work grows with the square of the length, and nobody mistypes that much. */
const MAX_COMPARED_LENGTH = 64;

/** The name of `known` that is nearest to `written`, or `undefined` when none is near enough to be meant. */
export function nearestName(written: string, known: Iterable<string>): string | undefined {
  if (written.length > MAX_COMPARED_LENGTH) return undefined;
  const wanted = written.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * How many letters must be inserted, deleted, replaced or swapped with their neighbour to make `a` into `b`
 * (Damerau-Levenshtein, in the form that never edits a swapped pair again).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (last[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        least = Math.min(least, (before[column - 2] ?? 0) + 1);
      }
      line.push(least);
    }
    before = last;
    last = line;
  }
  return last[b.length] ?? 0;
}
