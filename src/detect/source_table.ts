/**
 * What each source did within the window, in memory of fixed size.
 *
 * Invariants:
 * - A source is in at most one entry, and that entry lies in the set of four that its keyed hash names.
 * - An entry's `lastSeen` is 0 exactly when the entry is free; every other word of a free entry is meaningless.
 * - Of an entry's cells, the first `ports` hold a port and the first `probes` hold the time of a probe; a port is in at
 *   most one cell. Cells beyond those are meaningless.
 * - The first cells of all entries lie together, then the second ones, and so on: the kernel provides memory as it is
 *   touched, so that sources that ask once, as in a forged flood, take the memory of one cell each and not of all.
 * - A port or probe is alive while its time is at most the window away from now, in either direction: a clock that is
 *   set back makes nothing immortal. Nothing is ever swept; the dead are recognised when they are met.
 *
 * Bounds: `capacity` sources: a fifth one in a full set replaces, of those that are dead, or were dealt with, or have
 * the fewest ports, the one seen longest ago, so that a flood of forged sources displaces itself before it displaces a
 * scanner, and scanners who are banned already make room for those who are about to be. Among equals each way of the set
 * has its turn: no source is displaced at once for the place its address hashes to. `slots` ports and probes for each
 * source: a further port replaces the one seen longest ago, so that counts stop growing at `slots`, which is never below
 * the trigger. A source takes 32 bytes, and 12 more for each port or probe up to `slots`.
 * @module
 */
import { isAckType } from "../decode/classify.ts";
import { SCAN_TYPES, type ScanType } from "../decode/probe.ts";
import { type Address, addressOf } from "../net/address.ts";
import type { Protocol } from "../net/protocol.ts";
import { hashAddress, type HashKey, randomHashKey } from "./keyed_hash.ts";

const WAYS = 4;
const MIN_SLOTS = 16;
const MAX_SLOTS = 255;
/** Words of an entry's head: the address, then these. Kept apart from the cells so that a set fills two cache lines. */
const HEAD = { lastSeen: 4, settled: 5, ports: 6, probes: 7, size: 8 } as const;
/** Words of a cell. A port with its protocol and scan type, when it was last asked for; the time of some probe. */
const CELL = { port: 0, seen: 1, probe: 2, size: 3 } as const;
const PORT_BITS = 0x3ffff;
const SCAN_SHIFT = 18;
const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "sctp", "icmp"];
const ACK_TYPE: readonly boolean[] = SCAN_TYPES.map(isAckType);
/** How long after a block its ban may still be on its way, and its evidence be asked for. */
export const SETTLING_SECONDS = 2;
/** The last moment that fits: 7 February 2106. Captures may claim any. */
const LAST_SECOND = 0xffffffff;

/** How a table is made. */
export interface SourceTableOptions {
  /** How many sources are remembered at once. */
  readonly maxSources: number;
  /** The most ports or probes that anybody will ask about. */
  readonly trigger: number;
  /** How long a probe counts. */
  readonly windowSeconds: number;
  /** For tests; drawn at random otherwise. */
  readonly key?: HashKey;
}

/** What is remembered of a port that a source asked for. */
export interface PortEvidence {
  /** By which protocol. */
  readonly protocol: Protocol;
  /** The port; the message type for ICMP. */
  readonly port: number;
  /** In which way; the clearest one when there were several. */
  readonly scan: ScanType;
  /** When last, in whole seconds since the epoch. */
  readonly lastSeen: number;
}

/** What a source has come to, its newest probe included. */
export interface Tally {
  /** Distinct ports within the window. */
  readonly ports: number;
  /** Probes within the window. */
  readonly probes: number;
  /** Whether any of them was something other than an ACK-type packet. */
  readonly clear: boolean;
}

/** What a source has come to with its newest probe. */
export interface RecordedTally extends Tally {
  /** Whether that probe asked for a port that the source had asked for within the window before. */
  readonly again: boolean;
}

/** What a source has come to, for a list. */
export interface SourceSummary {
  /** Which source. */
  readonly source: Address;
  /** Distinct ports within the window. */
  readonly ports: number;
  /** Probes within the window. */
  readonly probes: number;
  /** When last, in whole seconds since the epoch. */
  readonly lastSeen: number;
}

/** The sources within the window. */
export class SourceTable {
  /** How many sources there is room for. */
  readonly capacity: number;
  readonly #slots: number;
  readonly #window: number;
  readonly #hashKey: HashKey;
  readonly #heads: Uint32Array;
  readonly #cells: Uint32Array;
  /** Words from one cell of an entry to its next. */
  readonly #stride: number;
  /** Entries claimed so far: whose turn it is among equals. */
  #claims = 0;

  /** Memory is claimed at once, but the kernel provides it only as it is used. */
  constructor(options: SourceTableOptions) {
    this.capacity = Math.max(WAYS, Math.floor(options.maxSources / WAYS) * WAYS);
    this.#slots = Math.min(MAX_SLOTS, Math.max(MIN_SLOTS, options.trigger));
    this.#window = options.windowSeconds;
    this.#hashKey = options.key ?? randomHashKey();
    this.#heads = new Uint32Array(this.capacity * HEAD.size);
    this.#stride = this.capacity * CELL.size;
    this.#cells = new Uint32Array(this.#slots * this.#stride);
  }

  /** Remember a probe, and say what its source has come to. */
  record(probe: {
    readonly source: Address;
    readonly protocol: Protocol;
    readonly port: number;
    readonly scan: ScanType;
    readonly time: number;
  }): RecordedTally {
    const now = wholeSeconds(probe.time);
    const set = this.#firstOf(probe.source);
    const entry = this.#find(probe.source, set) ?? this.#claim(probe.source, set, now);
    const head = entry * HEAD.size;
    if (this.#heads[head + HEAD.settled] !== 0) this.#clear(head);
    this.#heads[head + HEAD.lastSeen] = now;
    const port = (PROTOCOLS.indexOf(probe.protocol) << 16) | probe.port;
    const again = this.#recordPort(entry, { port, scan: SCAN_TYPES.indexOf(probe.scan), now });
    this.#recordProbe(entry, now);
    return { ...this.#tally(entry, now), again };
  }

  /** The ports that a source asked for within the window. */
  evidence(source: Address, time: number): readonly PortEvidence[] {
    const entry = this.#find(source);
    if (entry === undefined) return [];
    const now = wholeSeconds(time);
    const evidence: PortEvidence[] = [];
    const first = this.#firstCell(entry);
    const end = first + this.#head(entry, HEAD.ports) * this.#stride;
    for (let cell = first; cell < end; cell += this.#stride) {
      const lastSeen = this.#cell(cell, CELL.seen);
      if (!this.#isAlive(lastSeen, now)) continue;
      const word = this.#cell(cell, CELL.port);
      const protocol = PROTOCOLS[(word & PORT_BITS) >>> 16] ?? "tcp";
      evidence.push({
        protocol,
        port: word & 0xffff,
        scan: SCAN_TYPES[word >>> SCAN_SHIFT] ?? "unknown",
        lastSeen,
      });
    }
    return evidence;
  }

  /** How many sources did something within the window. Makes no object: may be asked in the middle of a flood. */
  count(time: number): number {
    const now = wholeSeconds(time);
    let count = 0;
    for (let entry = 0; entry < this.capacity; entry++) {
      if (this.#isAlive(this.#head(entry, HEAD.lastSeen), now)) count++;
    }
    return count;
  }

  /** Every source that did something within the window, in no order. */
  *sources(time: number): Iterable<SourceSummary> {
    const now = wholeSeconds(time);
    for (let entry = 0; entry < this.capacity; entry++) {
      const lastSeen = this.#head(entry, HEAD.lastSeen);
      if (!this.#isAlive(lastSeen, now)) continue;
      const { ports, probes } = this.#tally(entry, now);
      if (ports === 0) continue;
      const source = addressOf([
        this.#head(entry, 0),
        this.#head(entry, 1),
        this.#head(entry, 2),
        this.#head(entry, 3),
      ]);
      yield { source, ports, probes, lastSeen };
    }
  }

  /** Mark a source as dealt with at `time`: its evidence stays readable until its next {@link record}. */
  settle(source: Address, time: number): void {
    const entry = this.#find(source);
    if (entry !== undefined) this.#heads[entry * HEAD.size + HEAD.settled] = wholeSeconds(time);
  }

  /** When a source was dealt with, in whole seconds; 0 for one that was not. */
  settledAt(source: Address): number {
    const entry = this.#find(source);
    return entry === undefined ? 0 : this.#head(entry, HEAD.settled);
  }

  /** Forget everything about a source. */
  forget(source: Address): void {
    const entry = this.#find(source);
    if (entry !== undefined) this.#heads[entry * HEAD.size + HEAD.lastSeen] = 0;
  }

  #find(source: Address, first: number = this.#firstOf(source)): number | undefined {
    const heads = this.#heads;
    for (let entry = first; entry < first + WAYS; entry++) {
      const head = entry * HEAD.size;
      if (
        heads[head + 3] === source.w3 && heads[head + 2] === source.w2 && heads[head + 1] === source.w1 &&
        heads[head] === source.w0 && heads[head + HEAD.lastSeen] !== 0
      ) return entry;
    }
    return undefined;
  }

  /** Take the least valuable entry of the set. */
  #claim(source: Address, first: number, now: number): number {
    let worst = first;
    let worstValue = Infinity;
    const turn = this.#claims++;
    for (let way = 0; way < WAYS; way++) {
      const entry = first + (turn + way) % WAYS;
      const value = this.#value(entry, now);
      if (value < worstValue) {
        worstValue = value;
        worst = entry;
      }
    }
    const head = worst * HEAD.size;
    this.#heads[head] = source.w0;
    this.#heads[head + 1] = source.w1;
    this.#heads[head + 2] = source.w2;
    this.#heads[head + 3] = source.w3;
    this.#clear(head);
    return worst;
  }

  /** More ports count for more than any age, but not of a source that was dealt with; the free and the dead are nothing. */
  #value(entry: number, now: number): number {
    const seen = this.#head(entry, HEAD.lastSeen);
    if (!this.#isAlive(seen, now)) return -1;
    const settled = this.#head(entry, HEAD.settled);
    const isDone = settled !== 0 && Math.abs(now - settled) > SETTLING_SECONDS;
    return isDone ? seen : this.#head(entry, HEAD.ports) * (LAST_SECOND + 1) + seen;
  }

  #clear(head: number): void {
    this.#heads[head + HEAD.settled] = 0;
    this.#heads[head + HEAD.ports] = 0;
    this.#heads[head + HEAD.probes] = 0;
  }

  /** @returns Whether the port was there. */
  #recordPort(
    entry: number,
    probe: { readonly port: number; readonly scan: number; readonly now: number },
  ): boolean {
    const first = this.#firstCell(entry);
    const ports = this.#head(entry, HEAD.ports);
    const end = first + ports * this.#stride;
    let place = end;
    let oldest = Infinity;
    for (let cell = first; cell < end; cell += this.#stride) {
      if ((this.#cell(cell, CELL.port) & PORT_BITS) === probe.port) return this.#refresh(cell, probe);
      const seen = this.#cell(cell, CELL.seen);
      const worth = this.#isAlive(seen, probe.now) ? seen : -1;
      if (worth < oldest && (worth < 0 || ports === this.#slots)) {
        oldest = worth;
        place = cell;
      }
    }
    if (place === end) this.#heads[entry * HEAD.size + HEAD.ports] = ports + 1;
    this.#cells[place + CELL.port] = (probe.scan << SCAN_SHIFT) | probe.port;
    this.#cells[place + CELL.seen] = probe.now;
    return false;
  }

  /**
   * A packet that came late must not make the port older, nor an ACK make a clear probe look like a stray packet.
   *
   * @returns Whether the port was still within the window.
   */
  #refresh(
    cell: number,
    probe: { readonly port: number; readonly scan: number; readonly now: number },
  ): boolean {
    const seen = this.#cell(cell, CELL.seen);
    const alive = this.#isAlive(seen, probe.now);
    this.#cells[cell + CELL.seen] = alive ? Math.max(seen, probe.now) : probe.now;
    if (!alive || ACK_TYPE[this.#cell(cell, CELL.port) >>> SCAN_SHIFT] === true) {
      this.#cells[cell + CELL.port] = (probe.scan << SCAN_SHIFT) | probe.port;
    }
    return alive;
  }

  /** The times of the last `slots` probes, in a ring: `probes` counts on, twice around at most. */
  #recordProbe(entry: number, now: number): void {
    const probes = this.#head(entry, HEAD.probes);
    const cell = this.#firstCell(entry) + (probes % this.#slots) * this.#stride;
    this.#cells[cell + CELL.probe] = now;
    this.#heads[entry * HEAD.size + HEAD.probes] = probes + 1 === 2 * this.#slots ? this.#slots : probes + 1;
  }

  #tally(entry: number, now: number): Tally {
    const first = this.#firstCell(entry);
    const portsEnd = first + this.#head(entry, HEAD.ports) * this.#stride;
    const probesEnd = first + Math.min(this.#slots, this.#head(entry, HEAD.probes)) * this.#stride;
    let ports = 0;
    let probes = 0;
    let clear = false;
    for (let cell = first; cell < Math.max(portsEnd, probesEnd); cell += this.#stride) {
      if (cell < portsEnd && this.#isAlive(this.#cell(cell, CELL.seen), now)) {
        ports++;
        if (ACK_TYPE[this.#cell(cell, CELL.port) >>> SCAN_SHIFT] !== true) clear = true;
      }
      if (cell < probesEnd && this.#isAlive(this.#cell(cell, CELL.probe), now)) probes++;
    }
    return { ports, probes, clear };
  }

  #isAlive(seen: number, now: number): boolean {
    return Math.abs(now - seen) <= this.#window && seen !== 0;
  }

  #firstOf(source: Address): number {
    const sets = this.capacity / WAYS;
    return Math.floor((hashAddress(source, 0, this.#hashKey) / 2 ** 32) * sets) * WAYS;
  }

  #firstCell(entry: number): number {
    return entry * CELL.size;
  }

  /** A word that is there by the invariants above. */
  #head(entry: number, word: number): number {
    return this.#heads[entry * HEAD.size + word] ?? 0;
  }

  #cell(cell: number, word: number): number {
    return this.#cells[cell + word] ?? 0;
  }
}

/** Seconds that fit into 32 bits and are never 0, whatever a capture file says. */
export function wholeSeconds(time: number): number {
  return time >= 1 ? Math.min(LAST_SECOND, Math.floor(time)) : 1;
}
