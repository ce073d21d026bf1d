/**
 * Regular files told from everything that only looks like one, and read within a bound.
 * @module
 */
import { messageOf } from "../errors.ts";
import { readFrom, type SeekableFile } from "./in_place.ts";

/** No file of the system that is edited is larger; what is, is not what it should be. */
export const MAX_BYTES = 64 * 1024 * 1024;

/** What is known of a file before it is opened. */
export interface RegularFile {
  /** Its device. */
  readonly dev: number;
  /** Its inode. */
  readonly ino: number | null;
  /** Its permission bits. */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
}

/** The file at `path`; `undefined` when there is none. Throws an `Error` when it is anything but a regular file. */
export function regularFile(path: string): RegularFile | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (info.isSymlink) throw new Error("it is a symbolic link, not a regular file");
  if (info.isDirectory) throw new Error("it is a directory, not a regular file");
  if (!info.isFile) throw new Error("it is not a regular file");
  const { dev, ino, mode, uid, gid } = info;
  return { dev, ino, mode: mode ?? 0o600, uid: uid ?? 0, gid: gid ?? 0 };
}

/** Whether an open file is still the one at `path`. */
export function isAt(path: string, file: Deno.FsFile): boolean {
  const there = regularFile(path);
  return there !== undefined && isSame(there, file.statSync());
}

/** Whether two are one and the same file. */
export function isSame(a: Pick<RegularFile, "dev" | "ino">, b: Pick<RegularFile, "dev" | "ino">): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Everything in an open file. Throws an `Error` when that is too much. */
export function readAll(file: SeekableFile): Uint8Array<ArrayBuffer> {
  if (file.statSync().size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
  return readFrom(file, 0);
}

/** The contents of a regular file; empty when there is none. Throws an `Error` that says what was attempted. */
export function readRegularFile(path: string): Uint8Array<ArrayBuffer> {
  try {
    if (regularFile(path) === undefined) return new Uint8Array(0);
    using file = Deno.openSync(path, { read: true });
    return readAll(file);
  } catch (error) {
    throw new Error(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
