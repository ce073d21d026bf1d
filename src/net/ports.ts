/**
 * Sets of port numbers.
 * @module
 */

/** How many port numbers there are. */
export const PORT_COUNT = 65536;

/** First and last port of a run, both included. */
export interface PortRange {
  /** First port, 0 to 65535. */
  readonly first: number;
  /** Last port, not below `first`. */
  readonly last: number;
}

/** Where Linux takes the ports of outgoing connections from unless told otherwise (ip_local_port_range, ip-sysctl.rst). */
export const DEFAULT_EPHEMERAL_PORTS: PortRange = { first: 32768, last: 60999 };

/** An immutable set of ports with constant-time lookup. */
export class PortSet {
  readonly #member = new Uint8Array(PORT_COUNT);
  readonly #ranges: readonly PortRange[];
  /** How many ports are in the set. */
  readonly size: number;

  /** The ports of these ranges, which come in any order and may overlap. */
  constructor(ranges: Iterable<PortRange> = []) {
    this.#ranges = merged(ranges);
    for (const { first, last } of this.#ranges) this.#member.fill(1, first, last + 1);
    this.size = this.#ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  /** The set of these single ports. */
  static of(...ports: readonly number[]): PortSet {
    return new PortSet(ports.map((port) => ({ first: port, last: port })));
  }

  /** Whether `port` is in the set. */
  has(port: number): boolean {
    return this.#member[port] === 1;
  }

  /** This set without the ports of `other`. */
  without(other: PortSet): PortSet {
    return new PortSet(this.ranges().flatMap((range) => [...cut(range, other)]));
  }

  /** The set as sorted, disjoint, non-adjacent ranges. */
  ranges(): readonly PortRange[] {
    return this.#ranges;
  }

  /** The set as text, such as `1-7,11`. Empty for the empty set. */
  toString(): string {
    return this.ranges().map(formatPortRange).join(",");
  }
}

/** `7` or `5-11`. */
export function formatPortRange(range: PortRange): string {
  return range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
}

/** The range that `text` spells (`7`, `5-11`), or `undefined`: not a number, above 65535, reversed. */
export function parsePortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last < PORT_COUNT ? { first, last } : undefined;
}

/** Whether `port` is in the range. */
export function isWithin(range: PortRange, port: number): boolean {
  return range.first <= port && port <= range.last;
}

/** The same ports as sorted, disjoint, non-adjacent ranges. */
function merged(ranges: Iterable<PortRange>): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const { first, last } of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || first > before.last + 1) merged.push({ first, last });
    else if (last > before.last) merged[merged.length - 1] = { first: before.first, last };
  }
  return merged;
}

function* cut(range: PortRange, other: PortSet): Iterable<PortRange> {
  for (let port = range.first; port <= range.last; port++) {
    if (!other.has(port)) yield { first: port, last: port };
  }
}
