/**
 * Whether a capture can answer what was asked of it: does it hold packets to the watched host, and whole enough ones?
 *
 * Bound: 4096 destinations, the first ones; packets to others are not counted.
 * @module
 */
import type { Packet } from "../../decode/packet.ts";
import { type Address, formatAddress, hostKey, isMulticastOrBroadcast } from "../../net/address.ts";
import { quantity } from "../../quantity.ts";

const MAX_DESTINATIONS = 4096;
const NAMED_DESTINATIONS = 4;

/** Counts what a capture holds. */
export class Coverage {
  readonly #local: readonly Address[];
  readonly #keys: ReadonlySet<number | string>;
  readonly #destinations = new Map<number | string, { readonly address: Address; packets: number }>();
  #toLocal = 0;
  #fromLocal = 0;
  #toItself = 0;
  #tooShort = 0;

  /** A capture of which nothing was seen yet. `local`: the addresses of the watched host. */
  constructor(local: readonly Address[]) {
    this.#local = local;
    this.#keys = new Set(local.map(hostKey));
  }

  /** Take in a packet. */
  take(packet: Packet): void {
    if (packet.kind === "unknown") {
      if (packet.reason === "truncated") this.#tooShort++;
      return;
    }
    const isOurs = this.#keys.has(hostKey(packet.source));
    if (isOurs) this.#fromLocal++;
    const key = hostKey(packet.dest);
    if (this.#keys.has(key)) {
      this.#toLocal++;
      if (isOurs) this.#toItself++;
    }
    const known = this.#destinations.get(key);
    if (known !== undefined) known.packets++;
    else if (this.#destinations.size < MAX_DESTINATIONS && !isMulticastOrBroadcast(packet.dest)) {
      this.#destinations.set(key, { address: packet.dest, packets: 1 });
    }
  }

  /** Whom most packets are to, as text; empty when there is nobody. */
  busiest(): string {
    return [...this.#destinations.values()]
      .sort((a, b) => b.packets - a.packets)
      .slice(0, NAMED_DESTINATIONS)
      .map(({ address, packets }) => `${formatAddress(address)} (${packets})`)
      .join(", ");
  }

  /** What somebody should know before they believe the answer; a sentence each. */
  notes(): readonly string[] {
    const names = this.#local.map(formatAddress).join(", ");
    const notes: string[] = [];
    if (this.#toLocal === 0) {
      const busiest = this.busiest();
      notes.push(
        `No packet of the capture is to ${names}` +
          (busiest === "" ? "" : `; most are to ${busiest}: is one of these the watched host?`),
      );
    } else if (this.#toItself === this.#toLocal) {
      notes.push(`Every packet to ${names} is from there: a host that scans itself is not judged`);
    } else if (this.#fromLocal === 0) {
      notes.push(
        `No packet of the capture is from ${names}: what nobody answers looks closed; ` +
          "name the open ports with --open, such as --open 80,443,udp:53",
      );
    }
    if (this.#tooShort > 0) {
      notes.push(
        `Captured too short to be judged: ${
          quantity(this.#tooShort, "packet")
        }, whose headers were not kept whole`,
      );
    }
    return notes;
  }
}
