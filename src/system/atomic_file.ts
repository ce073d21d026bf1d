/**
 * Files of the system changed without ever leaving half of one: replaced as a whole, or edited where they lie.
 *
 * Only regular files are touched: whoever can put a symbolic link or a device in the way decides nothing.
 * @module
 */
import { basename, dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { LeasedFile } from "../ffi/leased_file.ts";
import { shorten } from "./in_place.ts";
import { isAt, isSame, MAX_BYTES, readAll, type RegularFile, regularFile } from "./regular_file.ts";

/** How long another program may hold its advisory lock before an edit is given up. */
const LOCK_WAIT_MS = 2000;
const LOCK_POLL_MS = 10;

/** How long others may keep the file open before it is shortened beside them; what they append is then followed. */
const LEASE_WAIT_MS = 200;
const LEASE_POLL_MS = 1;

/** An editor that saves by renaming puts another file in place; so often an edit starts again. */
const MAX_ATTEMPTS = 5;

/** How a file is replaced or edited. */
export interface FileOptions {
  /** Permission bits of a file that is made. An existing file keeps its own. */
  readonly mode: number;
}

/**
 * Put `contents` in place of the file, all or nothing: written beside it, flushed, renamed over it.
 *
 * An existing file's mode and owner are kept; where they may not be, nothing is changed. Needs write access to the
 * directory; see {@link editFile} for a file whose directory is not writable.
 *
 * @throws {Error} That says what was attempted; the old file is then as it was.
 */
export function replaceFile(
  path: string,
  contents: Uint8Array<ArrayBuffer> | string,
  options: FileOptions,
): void {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
  try {
    const there = regularFile(path);
    try {
      writeNew(temporary, bytes, there?.mode ?? options.mode);
      if (there !== undefined) keepOwner(temporary, there);
      Deno.renameSync(temporary, path);
    } catch (error) {
      removeIfThere(temporary);
      throw error;
    }
    // The rename is on disk only when the directory is.
    using directory = Deno.openSync(dirname(path), { read: true });
    directory.syncSync();
  } catch (error) {
    throw new Error(`Cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Gives the new contents for the old ones, or `undefined` when nothing is to change. May be called more than once.
 *
 * The new contents either begin with the old ones or are no longer than them.
 */
export type Edit = (contents: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined;

/**
 * Change a file where it lies, keeping its inode: for a file that cannot be renamed over (a mount point, or the one
 * writable file of a read-only directory) and for one that other programs append to, whose lines a rename would lose.
 *
 * Made with `options.mode` when it is missing. What is added is appended, under an advisory lock (flock). What is
 * removed is closed up while nobody else has the file open, or else taking along what others append meanwhile. If a
 * write fails the old contents are put back.
 *
 * @returns Whether the file was changed.
 * @throws {Error} That says what was attempted; the contents are then as they were.
 */
export async function editFile(path: string, edit: Edit, options: FileOptions): Promise<boolean> {
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const changed = await editShared(path, edit, { ...options, mayShorten: false });
      if (typeof changed === "boolean") return changed;
      if (changed === "replaced") continue;
      const done = await editAlone(path, edit) ??
        await editShared(path, edit, { ...options, mayShorten: true });
      if (typeof done === "boolean") return done;
    }
    throw new Error("another program keeps replacing it");
  } catch (error) {
    throw new Error(`Cannot change ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Whether the file was changed; or that another one came in its place; or that this edit would shorten it. */
type Edited = boolean | "replaced" | "shortens";

async function editShared(
  path: string,
  edit: Edit,
  options: FileOptions & { readonly mayShorten: boolean },
): Promise<Edited> {
  using file = openForEdit(path, options.mode);
  if (file === undefined) return "replaced";
  await lock(file);
  if (!isAt(path, file)) return "replaced";
  const edited = editOpen(path, file, edit, options.mayShorten);
  if (edited === true) await file.sync();
  return isAt(path, file) ? edited : "replaced";
}

/** @returns Whether it was changed; `undefined` when others keep it open, or it cannot be leased. */
async function editAlone(path: string, edit: Edit): Promise<boolean | undefined> {
  for (let waited = 0; waited < LEASE_WAIT_MS; waited += LEASE_POLL_MS) {
    using file = LeasedFile.open(path);
    if (file !== undefined) return editLeased(file, edit);
    await new Promise((resolve) => setTimeout(resolve, LEASE_POLL_MS));
  }
  return undefined;
}

function editLeased(file: LeasedFile, edit: Edit): boolean | undefined {
  const old = readAll(file);
  const wanted = edit(old);
  if (wanted === undefined || sameBytes(old, wanted)) return false;
  if (wanted.length > old.length) return undefined;
  shorten(file, old, wanted);
  return true;
}

/** Without an await in it: nothing else of this process comes in between. */
function editOpen(path: string, file: Deno.FsFile, edit: Edit, mayShorten: boolean): Edited {
  const old = readAll(file);
  const wanted = edit(old);
  if (wanted === undefined || sameBytes(old, wanted)) return false;
  if (wanted.length > MAX_BYTES) throw new Error(`it would be larger than ${MAX_BYTES} bytes`);
  if (wanted.length > old.length && sameBytes(old, wanted.subarray(0, old.length))) {
    return append(path, file, wanted.subarray(old.length)) ? true : "replaced";
  }
  if (!mayShorten) return "shortens";
  shorten(file, old, wanted);
  return true;
}

/**
 * By a descriptor of its own with O_APPEND: the kernel then finds the end, wherever others have moved it to.
 *
 * @returns Whether it still was the same file.
 */
function append(path: string, file: Deno.FsFile, bytes: Uint8Array<ArrayBuffer>): boolean {
  using appender = Deno.openSync(path, { append: true });
  if (!isSame(appender.statSync(), file.statSync())) return false;
  const before = file.statSync().size;
  let written = 0;
  try {
    while (written < bytes.length) written += appender.writeSync(bytes.subarray(written));
  } catch (error) {
    // A full disk takes a part of a line. It is ours to take back unless somebody has written behind it.
    if (file.statSync().size === before + written) file.truncateSync(before);
    throw error;
  }
  return true;
}

/** @returns The file, or `undefined` when another one came in its place just now. */
function openForEdit(path: string, mode: number): Deno.FsFile | undefined {
  const there = regularFile(path);
  if (there === undefined) return make(path, mode);
  const file = Deno.openSync(path, { read: true, write: true });
  if (isSame(file.statSync(), there)) return file;
  file.close();
  return undefined;
}

function make(path: string, mode: number): Deno.FsFile | undefined {
  try {
    const file = Deno.openSync(path, { read: true, write: true, createNew: true, mode });
    // Not by the open: the umask would take its part.
    Deno.chmodSync(path, mode);
    return file;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}

async function lock(file: Deno.FsFile): Promise<void> {
  for (let waited = 0; !file.tryLockSync(true); waited += LOCK_POLL_MS) {
    if (waited >= LOCK_WAIT_MS) throw new Error("another program holds a lock on it");
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
}

function writeNew(path: string, bytes: Uint8Array<ArrayBuffer>, mode: number): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  // Not by the open: the umask would take its part.
  Deno.chmodSync(path, mode & 0o7777);
  file.syncSync();
}

/** The confined daemon may give a file to its own groups only (chown(2), CAP_CHOWN). */
function keepOwner(path: string, { uid, gid }: RegularFile): void {
  const made = Deno.lstatSync(path);
  if (made.uid === uid && made.gid === gid) return;
  try {
    Deno.chownSync(path, uid, gid);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new Error(
      `it belongs to user ${uid} and group ${gid}, which this process may not give to a new file; ` +
        "let it belong to root and group root, or remove it",
      { cause: error },
    );
  }
}

function sameBytes(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was never made.
  }
}
