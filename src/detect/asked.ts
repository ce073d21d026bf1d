/**
 * What this host asked others by UDP from a trapped port, so that the answer is not taken for a probe.
 *
 * PortSentry banned DNS servers whose replies came after the asking socket was closed.
 * @module
 */
import { type Address, sameAddress } from "../net/address.ts";
import { hashAddress, type HashKey, randomHashKey } from "./keyed_hash.ts";

/** How long an answer may take: the limit of the kernel's own memory of unanswered UDP is shorter. */
const ANSWER_SECONDS = 120;

const WAYS = 4;

/** A datagram of ours, or the answer to it. */
export interface Exchange {
  /** The other side. */
  readonly remote: Address;
  /** Its port. */
  readonly remotePort: number;
  /** Ours. */
  readonly localPort: number;
}

interface Question extends Exchange {
  readonly time: number;
}

/**
 * The datagrams that may still be answered.
 *
 * Bounded: at most `capacity`, in sets of four; a fifth in a set makes the oldest of them forgotten, whose answer then
 * counts as one probe of one port.
 */
export class AskedQuestions {
  readonly #slots: (Question | undefined)[];
  readonly #sets: number;
  readonly #key: HashKey;

  /** No question yet. `capacity`: default 8192; `key`: for tests. */
  constructor(options: { readonly capacity?: number; readonly key?: HashKey } = {}) {
    this.#sets = Math.max(1, Math.ceil((options.capacity ?? 8192) / WAYS));
    this.#slots = new Array<Question | undefined>(this.#sets * WAYS).fill(undefined);
    this.#key = options.key ?? randomHashKey();
  }

  /** Remember a datagram that this host sent at `time` (seconds). */
  note(exchange: Exchange, time: number): void {
    const first = this.#firstSlot(exchange);
    let place = first;
    let oldest = Infinity;
    for (let slot = first; slot < first + WAYS; slot++) {
      const known = this.#slots[slot];
      if (known !== undefined && isSame(known, exchange)) {
        place = slot;
        break;
      }
      const age = known?.time ?? -Infinity;
      if (age < oldest) {
        oldest = age;
        place = slot;
      }
    }
    this.#slots[place] = { ...exchange, time };
  }

  /** Whether a datagram that came at `time` answers one of ours. */
  answers(exchange: Exchange, time: number): boolean {
    const first = this.#firstSlot(exchange);
    for (let slot = first; slot < first + WAYS; slot++) {
      const known = this.#slots[slot];
      if (known !== undefined && isSame(known, exchange)) {
        return Math.abs(time - known.time) <= ANSWER_SECONDS;
      }
    }
    return false;
  }

  #firstSlot(exchange: Exchange): number {
    const ports = (exchange.remotePort << 16) | exchange.localPort;
    return Math.floor((hashAddress(exchange.remote, ports, this.#key) / 2 ** 32) * this.#sets) * WAYS;
  }
}

function isSame(a: Exchange, b: Exchange): boolean {
  return a.localPort === b.localPort && a.remotePort === b.remotePort && sameAddress(a.remote, b.remote);
}
