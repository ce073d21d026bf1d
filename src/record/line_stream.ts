/**
 * Lines to a stream that somebody may read slowly or not at all, without the detector waiting for them.
 * @module
 */

/** Lines that wait while the reader is slow. Above it new ones are lost, and counted. */
const MAX_WAITING = 8192;

/** The part of a file or standard stream that is needed. */
export interface ByteWriter {
  /** Writes some of the bytes and says how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** A bounded queue before a stream. */
export class LineStream {
  readonly #writer: ByteWriter;
  readonly #lossText: (lines: number) => string;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;
  #untold = 0;

  /** `lossText` makes the line that tells of lost lines, once there is room again. */
  constructor(writer: ByteWriter, lossText: (lines: number) => string) {
    this.#writer = writer;
    this.#lossText = lossText;
  }

  /** Lines that found no room or no reader, ever. */
  get lost(): number {
    return this.#lost;
  }

  /** Queue a line, given without its newline. Never waits. */
  write(line: string): void {
    if (this.#waiting.length >= MAX_WAITING) this.#lose(1);
    else this.#waiting.push(line);
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything queued so far was written or lost. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // One turn later, so that the lines of one batch leave in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      if (this.#untold > 0) lines.push(this.#lossText(this.#untold));
      this.#untold = 0;
      try {
        await this.#writeAll(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
      } catch {
        // The reader is gone; there is nobody left to tell, but the next line is tried again.
        this.#lose(lines.length);
      }
    }
    this.#writing = undefined;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await this.#writer.write(bytes.subarray(done));
  }

  #lose(lines: number): void {
    this.#lost += lines;
    this.#untold += lines;
  }
}
