/**
 * Names for addresses, for the log, and addresses for names, for ignore lists: asked of others, so never waited for long.
 * @module
 */
import { lookup } from "node:dns/promises";
import {
  type Address,
  addressKey,
  addressToBytes,
  familyOf,
  parseAddress,
  sameAddress,
} from "../net/address.ts";
import { escapeName } from "../net/host_name.ts";

/** Questions under way at once; more are answered with "not known". */
const MAX_IN_FLIGHT = 16;
/** Questions that were given up but still keep a thread of the runtime busy; beyond this nothing more is asked. */
const MAX_UNSETTLED = 64;
const PATIENCE_MS = 2000;
/** Names kept; the longest kept goes first. */
const MAX_CACHED = 1024;
const FOUND_MS = 600_000;
const NOT_FOUND_MS = 60_000;
/** Addresses taken of one name: whoever owns the name must not fill our lists. */
const MAX_ADDRESSES = 64;

/** Options of {@link Names}; everything but the clock has the real thing as default. */
export interface NamesOptions {
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
  /** The PTR records of a name such as `1.2.0.192.in-addr.arpa`. */
  readonly reverse?: (name: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** The addresses of a host name as text, with /etc/hosts taken into account. */
  readonly forward?: (name: string) => Promise<readonly string[]>;
  /** How long a question may take, in milliseconds (default: 2 s). */
  readonly patienceMs?: number;
}

/** Look-ups by DNS, bounded in number and time, that never throw. */
export class Names {
  readonly #options: Required<NamesOptions>;
  /** By address; `undefined`: it has no name. Oldest first. */
  readonly #cache = new Map<string, { readonly name: string | undefined; readonly untilMs: number }>();
  readonly #asking = new Map<string, Promise<string | undefined>>();
  #unsettled = 0;

  /** Nothing is asked yet. */
  constructor(options: NamesOptions) {
    this.#options = { reverse: reverseByDns, forward: forwardBySystem, patienceMs: PATIENCE_MS, ...options };
  }

  /**
   * The name of this address, escaped for one field of a log line; `undefined` when it has none, nobody answers in time,
   * or too many questions are under way.
   */
  nameOf(address: Address): Promise<string | undefined> {
    const key = addressKey(address);
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.untilMs > this.#options.monotonicMs()) {
      return Promise.resolve(cached.name);
    }
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking;
    if (this.#asking.size >= MAX_IN_FLIGHT) return Promise.resolve(undefined);
    const answer = this.#ask(key, address);
    this.#asking.set(key, answer);
    return answer;
  }

  /**
   * The addresses of these host names, at most 64 each. A name that could not be looked up has `undefined`, so that what
   * was known of it before can stand; one that certainly does not exist is not told from it.
   */
  async addressesOf(names: readonly string[]): Promise<ReadonlyMap<string, readonly Address[] | undefined>> {
    const found = new Map<string, readonly Address[] | undefined>();
    const waiting = [...new Set(names)];
    const work = async (): Promise<void> => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        found.set(name, await this.#addressesOf(name));
      }
    };
    await Promise.all(Array.from({ length: MAX_IN_FLIGHT }, work));
    return found;
  }

  async #ask(key: string, address: Address): Promise<string | undefined> {
    const records = await this.#bounded((signal) => this.#options.reverse(reverseName(address), signal));
    const record = records?.[0]?.replace(/\.$/, "");
    const name = record === undefined || record === "" ? undefined : escapeName(record);
    this.#asking.delete(key);
    this.#cache.delete(key);
    const keepMs = name === undefined ? NOT_FOUND_MS : FOUND_MS;
    this.#cache.set(key, { name, untilMs: this.#options.monotonicMs() + keepMs });
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= MAX_CACHED) break;
      this.#cache.delete(oldest);
    }
    return name;
  }

  async #addressesOf(name: string): Promise<readonly Address[] | undefined> {
    const texts = await this.#bounded(() => this.#options.forward(name));
    if (texts === undefined) return undefined;
    const addresses: Address[] = [];
    for (const text of texts) {
      // getaddrinfo writes the zone of a link-local address behind a percent sign.
      const address = parseAddress(text.split("%", 1)[0] ?? "");
      if (address === undefined || addresses.some((other) => sameAddress(other, address))) continue;
      if (addresses.push(address) === MAX_ADDRESSES) break;
    }
    return addresses.length === 0 ? undefined : addresses;
  }

  /** The answer if it comes in time and is none of an error. */
  #bounded<T>(question: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    if (this.#unsettled >= MAX_UNSETTLED) return Promise.resolve(undefined);
    this.#unsettled++;
    const patience = new AbortController();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        patience.abort();
        resolve(undefined);
      }, this.#options.patienceMs);
      const settle = (answer: T | undefined): void => {
        this.#unsettled--;
        clearTimeout(timer);
        resolve(answer);
      };
      // A name that is not found, or nobody to ask, is no answer: the caller does without.
      attempt(() => question(patience.signal)).then(settle, () => settle(undefined));
    });
  }
}

/** The name under which an address is found in DNS (RFC 1035, section 3.5; RFC 3596, section 2.5). */
export function reverseName(address: Address): string {
  const bytes = [...addressToBytes(address)].reverse();
  if (familyOf(address) === 4) return `${bytes.join(".")}.in-addr.arpa`;
  return `${
    bytes.map((byte) => `${(byte & 15).toString(16)}.${(byte >>> 4).toString(16)}`).join(".")
  }.ip6.arpa`;
}

/** A question that throws at once is as good as one that fails later. */
async function attempt<T>(question: () => Promise<T>): Promise<T> {
  return await question();
}

function reverseByDns(name: string, signal: AbortSignal): Promise<readonly string[]> {
  return Deno.resolveDns(name, "PTR", { signal });
}

async function forwardBySystem(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map((entry) => entry.address);
}
