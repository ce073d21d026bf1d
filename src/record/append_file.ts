/**
 * A file that lines are added to, and nothing else: never truncated, made anew when it was rotated away, no line lost
 * while the disk is full.
 * @module
 */
import { dirname } from "node:path";
import { messageOf } from "../errors.ts";
import { type Clock, systemClock } from "../system/clock.ts";

/** What became of an append. */
export type AppendResult =
  /** `waiting`: the file is being rotated, and the lines are written within {@link ROTATION_MS}. */
  | { readonly ok: true; readonly waiting: boolean }
  /** The lines wait in memory for the next append; `lost` is how many lines found no room there, ever. */
  | { readonly ok: false; readonly error: string; readonly lost: number };

/** Lines that wait for the disk take no more than this; what comes later is lost, and counted. */
const MAX_WAITING_BYTES = 1 << 20;

/**
 * A file that was renamed gets so long for its successor to appear. logrotate makes that one, with the owner and mode
 * that `create` asks for, a moment after the renaming; were we faster, it would move ours out of the way, and no reader
 * would look there.
 */
const ROTATION_MS = 500;

const NEWLINE = 10;
const encoder = new TextEncoder();

/** One file, open between appends. */
export class AppendFile implements Disposable {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #path: string;
  #file: Deno.FsFile | undefined;
  #identity: string | undefined;
  /** Whole lines, except that the first may be the rest of one whose start is in the file already. */
  #waiting = new Uint8Array(0);
  #lost = 0;
  /** Since when the path names nothing although we have the file open. */
  #missingSince: number | undefined;

  /** Opens nothing yet. `path`: its directory is made (0750) when it is missing, the file (0640) likewise. */
  constructor(path: string, clock: Pick<Clock, "monotonicMs"> = systemClock) {
    this.#path = path;
    this.#clock = clock;
  }

  /** From the next append on add to another file. What waits goes there, too. */
  moveTo(path: string): void {
    if (path === this.#path) return;
    this.#close();
    this.#path = path;
  }

  /**
   * Add lines, each without its newline. With none, try again what is still waiting and make the file if it is missing.
   *
   * One write for all of them, so that a reader never sees half a batch unless the disk is full.
   */
  append(lines: readonly string[]): AppendResult {
    const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""));
    if (this.#waiting.length + bytes.length > MAX_WAITING_BYTES) this.#lost += lines.length;
    else this.#waiting = concat(this.#waiting, bytes);
    try {
      if (this.#isBeingRotated()) return { ok: true, waiting: this.#waiting.length > 0 };
      this.#write();
      return { ok: true, waiting: false };
    } catch (error) {
      return { ok: false, error: `Cannot append to ${this.#path}: ${messageOf(error)}`, lost: this.#lost };
    }
  }

  /** Write what is still waiting, if that works, and close the file; the next append opens it again. Twice is harmless. */
  [Symbol.dispose](): void {
    try {
      if (this.#waiting.length > 0) this.#write();
    } catch {
      // The last append said why.
    }
    this.#close();
  }

  #close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#identity = undefined;
    this.#missingSince = undefined;
  }

  /** Whether somebody has renamed the file and may be about to make another one in its place. */
  #isBeingRotated(): boolean {
    const isMissing = this.#file !== undefined && statOrUndefined(this.#path) === undefined;
    const now = this.#clock.monotonicMs();
    this.#missingSince = isMissing ? this.#missingSince ?? now : undefined;
    return this.#missingSince !== undefined && now - this.#missingSince < ROTATION_MS;
  }

  #write(): void {
    this.#openCurrent();
    this.#drain();
  }

  /** Opens the file that the path names at this moment: logrotate may have put another one in its place. */
  #openCurrent(): void {
    const there = statOrUndefined(this.#path);
    // Opening a FIFO would wait for a reader, and a device would swallow the lines.
    if (there !== undefined && !there.isFile) throw new Error("not a regular file");
    if (there !== undefined && this.#file !== undefined && identityOf(there) === this.#identity) return;
    this.#close();
    Deno.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o750 });
    const file = Deno.openSync(this.#path, { read: true, append: true, create: true, mode: 0o640 });
    this.#file = file;
    this.#identity = identityOf(file.statSync());
    if (this.#waiting.length > 0 && !endsWithNewline(file)) {
      this.#waiting = concat(Uint8Array.of(NEWLINE), this.#waiting);
    }
  }

  #drain(): void {
    while (this.#file !== undefined && this.#waiting.length > 0) {
      const written = this.#file.writeSync(this.#waiting);
      this.#waiting = this.#waiting.slice(written);
    }
  }
}

function statOrUndefined(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function identityOf(info: Deno.FileInfo): string {
  return `${info.dev}:${info.ino}`;
}

/** Somebody may have edited the file and left its last line open; ours must not be glued to it. */
function endsWithNewline(file: Deno.FsFile): boolean {
  const size = file.statSync().size;
  if (size === 0) return true;
  file.seekSync(size - 1, Deno.SeekMode.Start);
  const last = new Uint8Array(1);
  file.readSync(last);
  return last[0] === NEWLINE;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
