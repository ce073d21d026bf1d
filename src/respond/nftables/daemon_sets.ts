/**
 * The sets that the daemon keeps current: ignored and protected addresses, and ports that are no trap at the moment.
 *
 * What they should hold is remembered here, so that it goes into the ruleset itself when that is loaded: there is no
 * moment in which the trap is armed and does not know whom to spare. Until it is said what a set should hold, what an
 * earlier configuration or daemon left in it stands.
 * @module
 */
import type { GraceChange, GraceElement, GracePort } from "../../detect/grace.ts";
import { SyscallError } from "../../errors.ts";
import { type Address, addressToBytes, familyOf, formatAddress } from "../../net/address.ts";
import { type Prefix } from "../../net/prefix.ts";
import { IPPROTO } from "../../net/protocol.ts";
import type { SetElement } from "./element.ts";
import { intervalElement, intervalOf, intervalText, mergeIntervals } from "./interval.ts";
import type { SetContents } from "./ruleset.ts";
import type { SetElements } from "./set_elements.ts";

/** The content of one set, in both forms in which it travels. */
interface Content {
  readonly texts: readonly string[];
  readonly elements: readonly SetElement[];
}

interface Graced {
  readonly at: GracePort;
  /** On the monotonic clock, in milliseconds; `Infinity`: as long as there is a listener. */
  readonly until: number;
}

/** What {@link DaemonSets} needs. */
export interface DaemonSetsOptions {
  /** The elements of our table. */
  readonly elements: SetElements;
  /** Milliseconds since some moment; never jumps. */
  readonly monotonicMs: () => number;
}

const FAMILIES = [4, 6] as const;

/** What the daemon's sets should hold, and the way to put it there. */
export class DaemonSets {
  readonly #options: DaemonSetsOptions;
  readonly #lists = new Map<string, Content>();
  /** By text of what it is about. */
  #graced = new Map<string, Graced>();
  #isGraceKnown = false;
  #armed: ReadonlySet<string> = new Set();
  #failure: string | undefined;

  /** Everything is empty, and nothing is put into the kernel before {@link DaemonSets.arm}. */
  constructor(options: DaemonSetsOptions) {
    this.#options = options;
  }

  /** Why the kernel's sets are not what they should be; `undefined` when they are. Loading the ruleset repairs it. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** What the ruleset has to hold, for those sets that it has and of which that is known. */
  contents(sets: ReadonlySet<string>): SetContents {
    const known = new Map([...this.#lists, ...this.#isGraceKnown ? this.#graceContents() : []]);
    return new Map(
      [...known].filter(([name]) => sets.has(name)).map(([name, content]) => [name, content.texts]),
    );
  }

  /** The ruleset is loaded, with these sets: from now on changes go to the kernel. */
  arm(sets: ReadonlySet<string>): void {
    this.#armed = sets;
    this.#failure = undefined;
  }

  /** Never reported, never banned. */
  setIgnored(prefixes: readonly Prefix[]): void {
    for (const family of FAMILIES) {
      const intervals = mergeIntervals(
        prefixes.filter((prefix) => familyOf(prefix.address) === family).map(intervalOf),
      );
      this.#setList(`ignored${family}`, {
        texts: intervals.map((interval) => intervalText(interval, family)),
        elements: intervals.map((interval) => intervalElement(interval, family)),
      });
    }
  }

  /** Reported, never banned. @returns Those that were not protected before. */
  setProtected(addresses: readonly Address[]): readonly Address[] {
    return FAMILIES.flatMap((family) => {
      const name = `protected${family}`;
      const before = new Set(this.#lists.get(name)?.texts);
      const now = new Map(
        addresses.filter((address) => familyOf(address) === family)
          .map((address) => [formatAddress(address), address]),
      );
      const elements = [...now.values()].map((address) => ({ key: addressToBytes(address) }));
      this.#setList(name, { texts: [...now.keys()], elements });
      return [...now].filter(([text]) => !before.has(text)).map(([, address]) => address);
    });
  }

  /** The ports that are no trap now: these and no others. */
  setGrace(elements: readonly GraceElement[]): void {
    this.#isGraceKnown = true;
    this.#graced = new Map(elements.map((element) => this.#gracedOf(element)));
    for (const [name, { elements }] of this.#graceContents()) {
      this.#push(name, () => this.#options.elements.replace(name, elements));
    }
  }

  /** More of them, or fewer. */
  changeGrace({ put, drop }: GraceChange): void {
    for (const element of put) {
      const [key, graced] = this.#gracedOf(element);
      this.#graced.set(key, graced);
    }
    for (const at of drop) this.#graced.delete(graceText(at));
    for (const element of put) {
      this.#each(
        element,
        (set) => this.#options.elements.put(set, [this.#graceElement(this.#gracedOf(element)[1])]),
      );
    }
    for (const at of drop) {
      this.#each(at, (set) => this.#options.elements.remove(set, [{ key: graceKey(at) }]));
    }
  }

  #setList(name: string, content: Content): void {
    if (this.#lists.get(name)?.texts.join() === content.texts.join()) return;
    this.#lists.set(name, content);
    this.#push(name, () => this.#options.elements.replace(name, content.elements));
  }

  #each(at: GracePort, change: (set: string) => readonly (string | undefined)[]): void {
    const name = graceSet(at);
    this.#push(name, () => {
      const [error] = change(name);
      if (error !== undefined) throw new SyscallError(`change set ${name}`, error);
    });
  }

  /** A set that is not there is made by the next loading of the ruleset, along with what belongs in it. */
  #push(name: string, change: () => void): void {
    if (!this.#armed.has(name)) return;
    try {
      change();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#failure = error.message;
    }
  }

  #gracedOf(element: GraceElement): [string, Graced] {
    const { protocol, address, port, seconds } = element;
    const until = seconds === undefined ? Infinity : this.#options.monotonicMs() + seconds * 1000;
    return [graceText(element), { at: { protocol, address, port }, until }];
  }

  #graceContents(): ReadonlyMap<string, Content> {
    const now = this.#options.monotonicMs();
    for (const [key, { until }] of this.#graced) if (until <= now) this.#graced.delete(key);
    const contents = new Map<string, { texts: string[]; elements: SetElement[] }>(
      ["graced", "graced4", "graced6"].map((name) => [name, { texts: [], elements: [] }]),
    );
    for (const [text, graced] of this.#graced) {
      const content = contents.get(graceSet(graced.at));
      const seconds = Math.ceil((graced.until - now) / 1000);
      content?.texts.push(seconds === Infinity ? text : `${text} timeout ${seconds}s`);
      content?.elements.push(this.#graceElement(graced));
    }
    return contents;
  }

  #graceElement({ at, until }: Graced): SetElement {
    const key = graceKey(at);
    return until === Infinity ? { key } : { key, timeoutMs: until - this.#options.monotonicMs() };
  }
}

function graceSet({ address }: GracePort): string {
  return address === undefined ? "graced" : `graced${familyOf(address)}`;
}

function graceText({ protocol, address, port }: GracePort): string {
  return `${address === undefined ? "" : `${formatAddress(address)} . `}${protocol} . ${port}`;
}

/** The fields of a key are padded to four bytes, behind their value. */
function graceKey({ protocol, address, port }: GracePort): Uint8Array {
  const host = address === undefined ? new Uint8Array() : addressToBytes(address);
  const key = new Uint8Array(host.length + 8);
  key.set(host);
  key[host.length] = IPPROTO[protocol];
  new DataView(key.buffer).setUint16(host.length + 4, port);
  return key;
}
