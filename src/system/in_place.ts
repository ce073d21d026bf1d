/**
 * The contents of an open file shortened where they lie, so that neither a failure nor another writer loses a line.
 *
 * Order of the steps: overwrite from the first difference on, take along what others appended meanwhile, and only
 * then cut off what is left over. Until then every block is still allocated, so that the old bytes can be put back
 * on a full disk.
 * @module
 */

/** What is done to the file; `Deno.FsFile` can do all of it. */
export interface SeekableFile {
  /** Go to a byte, counted from the start. */
  seekSync(offset: number, whence: Deno.SeekMode.Start): number;
  /** Read from there; `null` at the end. */
  readSync(buffer: Uint8Array<ArrayBuffer>): number | null;
  /** Write there. @returns How many bytes were taken. */
  writeSync(bytes: Uint8Array<ArrayBuffer>): number;
  /** Cut the file off. */
  truncateSync(length: number): void;
  /** How long it is at this moment. */
  statSync(): { readonly size: number };
}

/** Somebody who appends without pause is followed so many times; then the edit is given up. */
const MAX_ROUNDS = 5000;

/**
 * Change the contents from `old` (as just read) to `wanted`, which is no longer than `old`.
 *
 * @throws The error of the write that failed, after the old contents were put back.
 */
export function shorten(
  file: SeekableFile,
  old: Uint8Array<ArrayBuffer>,
  wanted: Uint8Array<ArrayBuffer>,
): void {
  if (wanted.length > old.length) throw new RangeError("The new contents are longer than the old ones");
  const from = firstDifference(old, wanted);
  let taken = old;
  try {
    let end = writeAt(file, wanted.subarray(from), from);
    for (let round = 0; file.statSync().size > taken.length; round++) {
      if (round >= MAX_ROUNDS) throw new Error("another program keeps writing to it");
      const added = readFrom(file, taken.length);
      taken = concat(taken, added);
      end = writeAt(file, added, end);
    }
    file.truncateSync(end);
  } catch (error) {
    writeAt(file, taken.subarray(from), from);
    throw error;
  }
}

/** Everything from `at` to the end of the file. */
export function readFrom(file: SeekableFile, at: number): Uint8Array<ArrayBuffer> {
  file.seekSync(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(Math.max(0, file.statSync().size - at));
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

function firstDifference(old: Uint8Array<ArrayBuffer>, wanted: Uint8Array<ArrayBuffer>): number {
  const at = wanted.findIndex((byte, index) => byte !== old[index]);
  return at < 0 ? wanted.length : at;
}

/** @returns Where the written bytes end. */
function writeAt(file: SeekableFile, bytes: Uint8Array<ArrayBuffer>, at: number): number {
  file.seekSync(at, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  return at + bytes.length;
}

function concat(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
