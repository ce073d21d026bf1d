/**
 * The name servers that this host asks, from resolv.conf(5), followed as the file changes.
 * @module
 */
import { type Address, isLoopback, isUnspecified, parseAddress, sameAddress } from "../net/address.ts";
import { FileWatch } from "../system/file_watch.ts";
import { readSmallFile } from "../system/proc.ts";

/** What a resolv.conf could reasonably hold. The C library uses three. */
const MAX_RESOLVERS = 32;
const MAX_LINES = 1024;
const MAX_BYTES = 65536;

/** Where to look. */
export interface ResolverFiles {
  /** The file that the C library reads. */
  readonly main: string;
  /**
   * Files of local resolvers with the servers that they ask in turn; read when the main file names a loopback address,
   * which says nothing about whom packets come from.
   */
  readonly upstreams: readonly string[];
}

/** The places on Debian: systemd-resolved(8), NetworkManager.conf(5), and resolvconf's file for dnsmasq. */
const RESOLVER_FILES: ResolverFiles = {
  main: "/etc/resolv.conf",
  upstreams: [
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/dnsmasq/resolv.conf",
  ],
};

/** The `nameserver` addresses in the text of a resolv.conf, at most 32; any other line is passed over. */
export function parseResolvConf(text: string): readonly Address[] {
  const found: Address[] = [];
  for (const line of text.split("\n", MAX_LINES)) {
    const match = /^[ \t]*nameserver[ \t]+([0-9A-Fa-f:.]{2,45})(?:%[\w.-]{1,15})?(?:[ \t\r]|$)/.exec(
      line,
    );
    const address = parseAddress(match?.[1] ?? "");
    if (address === undefined || found.some((other) => sameAddress(other, address))) continue;
    found.push(address);
    if (found.length === MAX_RESOLVERS) break;
  }
  return found;
}

/** The resolvers in use, read at once and again at each change. */
export class Resolvers implements Disposable {
  readonly #files: ResolverFiles;
  readonly #watch: FileWatch;
  readonly #listeners = new Set<() => void>();
  #addresses: readonly Address[];

  /** Watching begins at once. */
  constructor(files: ResolverFiles = RESOLVER_FILES) {
    this.#files = files;
    this.#addresses = readResolvers(files);
    this.#watch = new FileWatch({
      paths: [files.main, ...files.upstreams],
      onChange: () => this.refresh(),
    });
  }

  /** The servers, without those on this host itself. */
  addresses(): readonly Address[] {
    return this.#addresses;
  }

  /** Call `listener` after each change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Read the files now. A file that is empty or gone for a moment leaves nothing protected by it. */
  refresh(): void {
    const addresses = readResolvers(this.#files);
    if (sameList(addresses, this.#addresses)) return;
    this.#addresses = addresses;
    for (const listener of this.#listeners) listener();
  }

  /** Stop watching. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

function readResolvers(files: ResolverFiles): readonly Address[] {
  const direct = parseResolvConf(readSmallFile(files.main, MAX_BYTES) ?? "");
  // Without any nameserver line the C library asks this host itself (resolv.conf(5)).
  const viaLocal = direct.length === 0 ||
    direct.some((address) => isLoopback(address) || isUnspecified(address));
  const indirect = viaLocal
    ? files.upstreams.flatMap((path) => parseResolvConf(readSmallFile(path, MAX_BYTES) ?? ""))
    : [];
  const all = [...direct, ...indirect].filter((address) => !isLoopback(address) && !isUnspecified(address));
  return all.filter((address, index) => all.findIndex((other) => sameAddress(other, address)) === index);
}

function sameList(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address) => b.some((other) => sameAddress(address, other)));
}
