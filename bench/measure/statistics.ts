/**
 * Few numbers out of many: what the tables quote.
 * @module
 */

/** The middle value, or the mean of the two middle ones; `undefined` of nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/**
 * Between which two of the values the median of what they are drawn from lies with 95 % certainty, whatever their
 * distribution (the interval of the sign test); `undefined` of fewer than six.
 */
export function medianBounds(values: readonly number[]): readonly [number, number] | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const count = sorted.length;
  // How likely it is that at most `outside` of so many fair coins show heads.
  let term = 0.5 ** count;
  let likelihood = term;
  let outside = 0;
  while (likelihood <= 0.025) {
    outside++;
    term *= (count - outside + 1) / outside;
    likelihood += term;
  }
  const low = sorted[outside - 1];
  const high = sorted[count - outside];
  return low === undefined || high === undefined ? undefined : [low, high];
}

/** The largest value; `undefined` of nothing. */
export function largest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}

/** How many times `reference` a value is; `undefined` where that cannot be said. */
export function ratio(value: number | undefined, reference: number | undefined): number | undefined {
  if (value === undefined || reference === undefined || reference === 0) return undefined;
  return value / reference;
}
