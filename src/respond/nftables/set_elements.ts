/**
 * The elements of the sets of our table, put in and taken out by netlink: no process is started for a ban.
 *
 * Everything is synchronous, and in force when it returns.
 * @module
 */
import { SyscallError } from "../../errors.ts";
import { NETLINK } from "../../ffi/netlink_socket.ts";
import { NetlinkExchange } from "../../host/netlink_exchange.ts";
import { type NetlinkWriter, NLM_F } from "../../net/netlink_message.ts";
import { NFT_MSG, NFTA_LIST, writeInetHeader } from "../../net/nf_tables.ts";
import {
  ELEMENT_BYTES,
  type ListedElement,
  readElements,
  type SetElement,
  writeElements,
} from "./element.ts";
import { TABLE } from "./sets.ts";
import { type TransactionRequest, Transactions } from "./transaction.ts";

/** Elements of one transaction, so that a bound that is reached in the middle spoils no more than these. */
const TRANSACTION_ELEMENTS = 1000;
/** A nested attribute ends at 64 KiB (its length has 16 bits). */
const LIST_BYTES = 60_000;
/**
 * Failing transactions of one call. The element at fault is found by halving, each half that fails being undone by the
 * kernel; what is still not settled after this many counts as failed.
 */
const MAX_FAILURES = 24;
/** How often a dump that was interrupted by a change is begun anew; then what was seen must do. */
const DUMP_TRIES = 5;

/** What became of one element: the name of the errno, or `undefined` when the kernel has acknowledged it. */
export type ElementError = string | undefined;

/** The elements of the sets of our table. */
export class SetElements implements Disposable {
  readonly #transactions: Transactions;
  #exchange: NetlinkExchange | undefined;

  /**
   * Nothing is opened yet.
   *
   * @param transactions Stay the caller's.
   */
  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** Put elements in; one that is there gets the new timeout. One result each, in order. Not for interval sets. */
  put(set: string, elements: readonly SetElement[]): readonly ElementError[] {
    // Deleting what is not there would fail, and so would adding what is; in this order nothing fails and the kernel
    // takes the three as one step. Failing is to be avoided: the kernel needs some 15 ms to undo a transaction.
    return this.#each(set, elements, (some) => [...add(set, some), ...remove(set, some), ...add(set, some)]);
  }

  /** Put elements in that are not there: a third of the work of {@link SetElements.put}. One result each, in order. */
  add(set: string, elements: readonly SetElement[]): readonly ElementError[] {
    return this.#each(set, elements, (some) => add(set, some));
  }

  /** Take elements out; one that is not there counts as taken out. One result each, in order. Not for interval sets. */
  remove(set: string, elements: readonly SetElement[]): readonly ElementError[] {
    return this.#each(set, elements, (some) => [...add(set, some), ...remove(set, some)]);
  }

  /**
   * Put these into the set in place of everything that is in it, in one step.
   *
   * @throws {SyscallError} When the kernel refuses; then the set is as it was.
   */
  replace(set: string, elements: readonly SetElement[]): void {
    this.#transactions.commit(`fill set ${set}`, [flush(set), ...add(set, elements)]);
  }

  /** Empty the set. */
  flush(set: string): void {
    this.#transactions.commit(`empty set ${set}`, [flush(set)]);
  }

  /**
   * What is in the set. Interval sets give their ends as elements of their own.
   *
   * @throws {SyscallError} ENOENT when there is no such set.
   */
  list(set: string): readonly ListedElement[] {
    this.#exchange ??= new NetlinkExchange(NETLINK.netfilter);
    let elements: ListedElement[] = [];
    for (let i = 0; i < DUMP_TRIES; i++) {
      elements = [];
      const end = this.#exchange.dump({
        operation: `list set ${set}`,
        type: NFT_MSG.getElement,
        body: (writer) => {
          writeInetHeader(writer);
          writeSet(writer, set);
        },
      }, (message) => void elements.push(...readElements(message.payload)));
      if (end === "complete") break;
    }
    return elements;
  }

  /** Close the socket for lists. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#exchange?.[Symbol.dispose]();
    this.#exchange = undefined;
  }

  #each(
    set: string,
    elements: readonly SetElement[],
    requests: (some: readonly SetElement[]) => readonly TransactionRequest[],
  ): readonly ElementError[] {
    let tries = MAX_FAILURES;
    let full = false;
    const change = (some: readonly SetElement[]): readonly ElementError[] => {
      if (full) return some.map(() => "ENFILE");
      const failure = this.#try(set, requests(some));
      if (failure === undefined) return some.map(() => undefined);
      full = failure === "ENFILE" && some.length === 1;
      // A set or table that is not there has no elements that could be at fault.
      if (some.length === 1 || failure === "ENOENT" || --tries <= 0) return some.map(() => failure);
      const half = Math.ceil(some.length / 2);
      return [...change(some.slice(0, half)), ...change(some.slice(half))];
    };
    return chunks(elements, TRANSACTION_ELEMENTS).flatMap(change);
  }

  #try(set: string, requests: readonly TransactionRequest[]): ElementError {
    try {
      this.#transactions.commit(`change set ${set}`, requests);
      return undefined;
    } catch (error) {
      if (error instanceof SyscallError) return error.code;
      throw error;
    }
  }
}

function add(set: string, elements: readonly SetElement[]): readonly TransactionRequest[] {
  return lists(elements).map((list) =>
    request(NFT_MSG.newElement, set, { elements: list, flags: NLM_F.create })
  );
}

function remove(set: string, elements: readonly SetElement[]): readonly TransactionRequest[] {
  const keys = elements.map(({ key, end }) => (end === undefined ? { key } : { key, end }));
  return lists(keys).map((list) => request(NFT_MSG.deleteElement, set, { elements: list, flags: 0 }));
}

/** A request to delete that names no element means all of them. */
function flush(set: string): TransactionRequest {
  return request(NFT_MSG.deleteElement, set, { elements: undefined, flags: 0 });
}

function request(
  type: number,
  set: string,
  options: { readonly elements: readonly SetElement[] | undefined; readonly flags: number },
): TransactionRequest {
  return {
    type,
    flags: options.flags,
    body: (writer) => {
      writeSet(writer, set);
      if (options.elements !== undefined) writeElements(writer, options.elements);
    },
  };
}

function writeSet(writer: NetlinkWriter, set: string): void {
  writer.text(NFTA_LIST.table, TABLE);
  writer.text(NFTA_LIST.set, set);
}

/** So many elements as fit one message. */
function lists(elements: readonly SetElement[]): readonly (readonly SetElement[])[] {
  const largest = elements.reduce((most, { key, end }) => Math.max(most, key.length + (end?.length ?? 0)), 0);
  return chunks(elements, Math.floor(LIST_BYTES / (largest + ELEMENT_BYTES)));
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const result: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += size) result.push(items.slice(at, at + size));
  return result;
}
