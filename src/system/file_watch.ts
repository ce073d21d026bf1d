/**
 * Learning that a file has changed, however it was changed: written, replaced, or its symbolic link turned elsewhere.
 * @module
 */
import { basename, dirname } from "node:path";

/** Editors and package scripts touch a file several times; one change is told this long after the first touch. */
const SETTLE_MS = 50;
/**
 * Deno's watcher does not see a symbolic link being made, nor a directory that comes into being; both are found by
 * looking again this often.
 */
const RECHECK_MS = 30_000;
/** Paths beyond this are looked at by the recheck alone: inotify watches are a limited good (inotify(7)). */
const MAX_DIRECTORIES = 256;

/** Options of {@link FileWatch}. */
export interface FileWatchOptions {
  /** Absolute paths; what is not there yet may come. */
  readonly paths: readonly string[];
  /** Called after a change of any of them. */
  readonly onChange: () => void;
  /** How often to look without being told, in milliseconds (default: 30 s). */
  readonly recheckMs?: number;
}

/** Watches files until disposed, which must be done for the process to end by itself. */
export class FileWatch implements Disposable {
  readonly #options: FileWatchOptions;
  readonly #watchers = new Map<string, Deno.FsWatcher>();
  readonly #recheck: ReturnType<typeof setInterval>;
  #settling: ReturnType<typeof setTimeout> | undefined;
  #fingerprint: string;
  #closed = false;

  /** Watching begins at once. */
  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#fingerprint = fingerprintOf(options.paths);
    this.#arm();
    this.#recheck = setInterval(() => this.#look(), options.recheckMs ?? RECHECK_MS);
  }

  /** Stop watching. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#recheck);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watch the directories that the paths lie in now, following symbolic links, and no others. */
  #arm(): void {
    const wanted = new Set(this.#options.paths.flatMap(directoriesOf).slice(0, MAX_DIRECTORIES));
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue;
      this.#watchers.delete(directory);
      watcher.close();
    }
    for (const directory of wanted) {
      if (!this.#watchers.has(directory)) this.#watch(directory);
    }
  }

  #watch(directory: string): void {
    try {
      const watcher = Deno.watchFs(directory, { recursive: false });
      this.#watchers.set(directory, watcher);
      this.#follow(watcher).catch(() => {
        // The watcher failed (its directory is gone): the recheck finds out what became of the file.
        if (this.#watchers.get(directory) === watcher) this.#watchers.delete(directory);
      });
    } catch {
      // No such directory, or no watch to be had: the recheck does without.
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    for await (const event of watcher) {
      if (event.kind === "access") continue;
      if (event.paths.some((path) => this.#names().has(basename(path)))) this.#settle();
    }
  }

  #names(): ReadonlySet<string> {
    return new Set(this.#options.paths.flatMap((path) => [basename(path), basename(realPath(path))]));
  }

  #settle(): void {
    if (this.#closed || this.#settling !== undefined) return;
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      this.#changed();
    }, SETTLE_MS);
  }

  #look(): void {
    if (fingerprintOf(this.#options.paths) === this.#fingerprint) this.#arm();
    else this.#changed();
  }

  #changed(): void {
    if (this.#closed) return;
    this.#fingerprint = fingerprintOf(this.#options.paths);
    this.#arm();
    this.#options.onChange();
  }
}

function directoriesOf(path: string): readonly string[] {
  return [dirname(path), dirname(realPath(path))];
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Not there yet, or a link to nothing.
    return path;
  }
}

function fingerprintOf(paths: readonly string[]): string {
  return paths.map((path) => {
    try {
      const { ino, dev, size, mtime, ctime } = Deno.statSync(path);
      return `${realPath(path)} ${dev} ${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`;
    } catch {
      // Its absence is a state like any other.
      return "absent";
    }
  }).join("\n");
}
