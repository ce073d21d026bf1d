/**
 * Files of /proc and /etc, read whole but never beyond a bound.
 * @module
 */

/** The largest file that {@link readSmallFile} reads unless told otherwise. */
const DEFAULT_BYTES = 1 << 20;

/**
 * The text of a file that should be small; `undefined` when it is not there, may not be read, or is no plain file.
 *
 * @param path What to read. A FIFO or device is refused, so that nobody can make us wait on one.
 * @param maxBytes What lies beyond is not read.
 */
export function readSmallFile(path: string, maxBytes = DEFAULT_BYTES): string | undefined {
  try {
    if (!Deno.statSync(path).isFile) return undefined;
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const read = file.readSync(bytes.subarray(length));
      if (read === null || read === 0) break;
      length += read;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } catch {
    // Absent and unreadable mean the same to every caller: the fact cannot be had from here.
    return undefined;
  }
}
