/**
 * The live ignore list: what the configuration says, the ignore files as they are now, and the addresses that host
 * names have now.
 * @module
 */
import { type IgnoreEntry, parseIgnoreEntry } from "../config/ignore_entry.ts";
import { type IgnoreFile, loadIgnoreFiles } from "../config/ignore_file.ts";
import { type Fault, formatFault } from "../errors.ts";
import type { Address } from "../net/address.ts";
import { formatPrefix, hostPrefix, type Prefix, PrefixSet } from "../net/prefix.ts";
import { quantity } from "../quantity.ts";
import { FileWatch } from "../system/file_watch.ts";

/** Finds the addresses of a host name. Rejects when it cannot tell. */
export type ResolveName = (name: string) => Promise<readonly Address[]>;

/** Options of {@link IgnoreList}. */
export interface IgnoreListOptions {
  /** `ignore.hosts` of the configuration. */
  readonly hosts: readonly string[];
  /** `ignore.files` of the configuration. */
  readonly files: readonly string[];
  /** Asked for each host name at the start, after changes, and every {@link IgnoreListOptions.resolveSeconds}. */
  readonly resolve: ResolveName;
  /** How often names are looked up again, in seconds (default: 300). */
  readonly resolveSeconds?: number;
  /** How long after a failure files are read again, and names looked up, in milliseconds (default: 30 s). */
  readonly retryMs?: number;
  /** Reads the files. Default: {@link loadIgnoreFiles}. */
  readonly load?: typeof loadIgnoreFiles;
  /** The list before this one, whose knowledge counts until there is better. Default: none. */
  readonly before?: IgnoreList | undefined;
}

const RESOLVE_SECONDS = 300;
const RETRY_MS = 30_000;
/** A name with more addresses than this is a mistake or an attack on our memory; the rest is left out. */
const MAX_ADDRESSES_OF_NAME = 64;
/** So many names are looked up at the same time. */
const CONCURRENT_LOOKUPS = 8;

/** Addresses that are never reported. Follows its files and names until disposed. */
export class IgnoreList implements Disposable {
  readonly #options: IgnoreListOptions;
  readonly #watch: FileWatch;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #listeners = new Set<() => void>();
  readonly #written: readonly IgnoreEntry[];
  /** By path. What cannot be read now has the entries that it had. */
  #files: ReadonlyMap<string, IgnoreFile> = new Map();
  /** Name → its last known addresses. Kept while a look-up fails: a name server that is down must not ban a friend. */
  #addresses = new Map<string, readonly Address[]>();
  /** Names of which no address was ever found. */
  #unknown: ReadonlySet<string> = new Set();
  #set = new PrefixSet([]);
  #content = "";
  /** The reading that is going on; a change during it is read by the next one. */
  #reading: Promise<void> = Promise.resolve();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** The list with its files read. Names are looked up in the background, so that a start never waits for DNS. */
  static async open(options: IgnoreListOptions): Promise<IgnoreList> {
    const list = new IgnoreList(options);
    await list.refresh();
    return list;
  }

  private constructor(options: IgnoreListOptions) {
    this.#options = options;
    this.#written = options.hosts.map(parseIgnoreEntry);
    if (options.before !== undefined) {
      this.#files = options.before.#files;
      this.#addresses = new Map(options.before.#addresses);
    }
    this.#watch = new FileWatch({
      paths: options.files,
      onChange: () => void this.refresh(),
    });
    this.#timer = setInterval(
      () => void this.#resolveNames(),
      (options.resolveSeconds ?? RESOLVE_SECONDS) * 1000,
    );
  }

  /** Stop following files and names. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
    this.#watch[Symbol.dispose]();
    this.#listeners.clear();
  }

  /** Whether this address is ignored. */
  has(address: Address): boolean {
    return this.#set.has(address);
  }

  /** Every prefix of the list, each once. */
  prefixes(): readonly Prefix[] {
    return this.#set.prefixes;
  }

  /** Lines of the files that do nothing, files that cannot be read, and host names that nobody knows. */
  faults(): readonly Fault[] {
    const files = [...this.#files].flatMap(([path, file]) => [
      ...file.faults,
      ...unknownNames(path, file.names.filter((name) => this.#unknown.has(name))),
    ]);
    const written = namesOf(this.#written).filter((name) => this.#unknown.has(name));
    return [...unknownNames("ignore.hosts", written), ...files];
  }

  /** Calls `listener` after each change of {@link prefixes} or {@link faults}. The function that comes back ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads the files again now, and starts looking up the names. */
  async refresh(): Promise<void> {
    const read = this.#reading.then(async () => {
      this.#files = await (this.#options.load ?? loadIgnoreFiles)(this.#options.files, this.#files);
      if (this.#closed) return;
      this.#settle();
      this.#retryLater();
    });
    this.#reading = read;
    await read;
    void this.#resolveNames();
  }

  /** A disk that failed and works again changes nothing about a file that a watch could tell of; nor does a name server. */
  #retryLater(): void {
    clearTimeout(this.#retry);
    const isUnreadable = [...this.#files.values()].some(({ unread }) => unread === "unreadable");
    if (this.#closed || (!isUnreadable && this.#unknown.size === 0)) return;
    this.#retry = setTimeout(() => void this.refresh(), this.#options.retryMs ?? RETRY_MS);
  }

  async #resolveNames(): Promise<void> {
    const names = this.#namesWanted();
    const next = names.values();
    const lookUp = async (): Promise<void> => {
      for (const name of next) {
        if (this.#closed) return;
        try {
          this.#addresses.set(name, (await this.#options.resolve(name)).slice(0, MAX_ADDRESSES_OF_NAME));
        } catch {
          // The last known addresses stay, see above; a name that never had one is told of as a fault.
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENT_LOOKUPS, names.length) }, lookUp));
    if (this.#closed || names.length === 0) return;
    this.#unknown = new Set(names.filter((name) => (this.#addresses.get(name) ?? []).length === 0));
    this.#settle();
    this.#retryLater();
  }

  #namesWanted(): readonly string[] {
    const inFiles = [...this.#files.values()].flatMap((file) => file.names);
    return [...new Set([...namesOf(this.#written), ...inFiles])];
  }

  /** Makes the set anew, and tells the listeners when it is another one. */
  #settle(): void {
    const names = this.#namesWanted();
    this.#addresses = new Map([...this.#addresses].filter(([name]) => names.includes(name)));
    const all = new Map<string, Prefix>();
    for (const prefix of this.#allPrefixes()) all.set(formatPrefix(prefix), prefix);
    const content = [...all.keys(), ...this.faults().map(formatFault)].join("\n");
    if (content === this.#content) return;
    this.#content = content;
    this.#set = new PrefixSet(all.values());
    for (const listener of this.#listeners) listener();
  }

  *#allPrefixes(): Iterable<Prefix> {
    for (const entry of this.#written) if (entry.kind === "prefix") yield entry.prefix;
    for (const file of this.#files.values()) yield* file.prefixes;
    for (const addresses of this.#addresses.values()) yield* addresses.map(hostPrefix);
  }
}

function namesOf(entries: readonly IgnoreEntry[]): readonly string[] {
  return entries.flatMap((entry) => entry.kind === "name" ? [entry.name] : []);
}

/** One fault for all of them: when no name server answers, that is no reason for a thousand lines. */
function unknownNames(file: string, names: readonly string[]): readonly Fault[] {
  const [first] = names;
  if (first === undefined) return [];
  const message = names.length === 1
    ? `${first} cannot be looked up; nobody is ignored for it until it can`
    : `${first} and ${quantity(names.length - 1, "more host name")} cannot be looked up; ` +
      "nobody is ignored for them until they can";
  return [{ file, line: 0, column: 0, message }];
}
