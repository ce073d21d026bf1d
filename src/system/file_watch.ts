/**
 * Learning that a file has changed, however it was changed: written, replaced, or its symbolic link turned elsewhere.
 *
 * By looking: a look costs some ten microseconds a file. inotify would have to be put on the directories, and wake this
 * process for every file in them that anybody opens, which in /etc is every program that starts.
 * @module
 */

/** How often to look. */
const LOOK_MS = 1000;

/** Options of {@link FileWatch}. */
export interface FileWatchOptions {
  /** Absolute paths; what is not there yet may come. */
  readonly paths: readonly string[];
  /** Called after a change of any of them. */
  readonly onChange: () => void;
  /** How often to look, in milliseconds (default: 1 s). */
  readonly lookMs?: number;
}

/** Watches files until disposed, which must be done for the process to end by itself. */
export class FileWatch implements Disposable {
  readonly #options: FileWatchOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #fingerprint: string;

  /** Watching begins at once. */
  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#fingerprint = fingerprintOf(options.paths);
    this.#timer = setInterval(() => this.#look(), options.lookMs ?? LOOK_MS);
  }

  /** Stop watching. Twice is harmless. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const fingerprint = fingerprintOf(this.#options.paths);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#options.onChange();
  }
}

/** A link is followed: what counts is the file that would be read. */
function fingerprintOf(paths: readonly string[]): string {
  return paths.map((path) => {
    try {
      const { ino, dev, size, mtime, ctime } = Deno.statSync(path);
      return `${dev} ${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
    } catch {
      // Its absence is a state like any other.
      return "absent";
    }
  }).join("\n");
}
