/**
 * Numbers of things in sentences.
 * @module
 */

/** `1 port`, `3 ports`. `several`: the plural, where it is not the word with an s. */
export function quantity(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
