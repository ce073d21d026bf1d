/**
 * Lines on their way out, many at a time: a write for each of a million lines takes longer than finding them.
 * @module
 */

const BLOCK_CHARACTERS = 1 << 16;

/** Collects lines. Bound: one block and one line. */
export class LineBuffer {
  readonly #print: (lines: string) => void;
  #lines: string[] = [];
  #characters = 0;

  /** Hands blocks of whole lines to `print`, without the newline behind the last one. */
  constructor(print: (lines: string) => void) {
    this.#print = print;
  }

  /** Take a line. */
  add(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= BLOCK_CHARACTERS) this.flush();
  }

  /** Hand over what is left. */
  flush(): void {
    if (this.#lines.length === 0) return;
    const block = this.#lines.join("\n");
    this.#lines = [];
    this.#characters = 0;
    this.#print(block);
  }
}
