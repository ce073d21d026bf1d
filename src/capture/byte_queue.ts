/**
 * Bytes that come in chunks of any size and go out in records of any size, without keeping more than one of each.
 * @module
 */

const FIRST_CAPACITY = 1 << 16;

/** A queue of bytes that knows how far into the stream it is. */
export class ByteQueue {
  /** Bytes from `#start` to `#end` are in the queue. Grows to the longest record and chunk together, and stays. */
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #start = 0;
  #end = 0;
  #toSkip = 0;
  #position = 0;

  /** How many bytes of the stream have been taken or skipped. */
  get position(): number {
    return this.#position;
  }

  /** How many bytes can be taken now. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Put a copy of a chunk behind what is left. Whatever was taken before is no longer valid. */
  push(chunk: Uint8Array): void {
    const skipped = Math.min(this.#toSkip, chunk.length);
    this.#toSkip -= skipped;
    this.#position += skipped;
    const needed = this.available + chunk.length - skipped;
    const rest = this.#bytes.subarray(this.#start, this.#end);
    if (needed > this.#bytes.length) this.#bytes = new Uint8Array(2 * needed);
    this.#bytes.set(rest);
    this.#bytes.set(chunk.subarray(skipped), rest.length);
    this.#start = 0;
    this.#end = needed;
  }

  /** The next `count` bytes without taking them, or `undefined` while they are not all there. */
  peek(count: number): Uint8Array | undefined {
    return this.available < count ? undefined : this.#bytes.subarray(this.#start, this.#start + count);
  }

  /** Leave out `count` bytes, also those that have not come yet. */
  skip(count: number): void {
    const here = Math.min(count, this.available);
    this.#start += here;
    this.#position += here;
    this.#toSkip += count - here;
  }

  /** Whether the stream ended before something that was to be skipped. */
  get owes(): boolean {
    return this.#toSkip > 0;
  }
}
