/**
 * The elements of an nf_tables set as bytes (linux/netfilter/nf_tables.h, enum nft_set_elem_attributes).
 *
 * A key is the fields of the set one after the other, each padded to four bytes, in network order. An interval has two
 * elements: its first key, and the first key behind it with a flag; one that reaches the end of all keys has only the first.
 * @module
 */
import {
  findAttribute,
  type NetlinkWriter,
  readAttributes,
  readUint32,
  readUint64,
} from "../../net/netlink_message.ts";
import {
  ELEMENT_INTERVAL_END,
  NFGENMSG_BYTES,
  NFTA_DATA_VALUE,
  NFTA_ELEMENT,
  NFTA_LIST,
  NFTA_LIST_ITEM,
} from "../../net/nf_tables.ts";

/** Bytes that an element takes besides its keys, at most: headers of both ends, flags and timeout. */
export const ELEMENT_BYTES = 64;

/** An element to be put in or taken out. */
export interface SetElement {
  /** Its key; the first one of an interval. */
  readonly key: Uint8Array;
  /** In interval sets, the first key behind the interval; left out when there is none. */
  readonly end?: Uint8Array;
  /** Milliseconds until the kernel forgets it; left out: as the set says, or never. */
  readonly timeoutMs?: number;
}

/** An element as the kernel lists it. */
export interface ListedElement {
  /** Its key. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** Whether it is the end of an interval. */
  readonly isEnd: boolean;
  /** Milliseconds until the kernel forgets it; `undefined`: never. */
  readonly remainingMs: number | undefined;
}

/** Write the list of elements of a request. */
export function writeElements(writer: NetlinkWriter, elements: readonly SetElement[]): void {
  writer.nested(NFTA_LIST.elements, () => {
    for (const { key, end, timeoutMs } of elements) {
      writer.nested(NFTA_LIST_ITEM, () => {
        writeKey(writer, key);
        if (timeoutMs !== undefined) writer.uint64(NFTA_ELEMENT.timeout, Math.ceil(timeoutMs));
      });
      if (end === undefined) continue;
      writer.nested(NFTA_LIST_ITEM, () => {
        writeKey(writer, end);
        writer.uint32(NFTA_ELEMENT.flags, ELEMENT_INTERVAL_END);
      });
    }
  });
}

/** The elements that a message of a dump holds. */
export function* readElements(payload: Uint8Array<ArrayBuffer>): Iterable<ListedElement> {
  const list = findAttribute(payload, NFTA_LIST.elements, NFGENMSG_BYTES);
  if (list === undefined) return;
  for (const { value } of readAttributes(list)) {
    const wrapped = findAttribute(value, NFTA_ELEMENT.key);
    const key = wrapped && findAttribute(wrapped, NFTA_DATA_VALUE);
    if (key === undefined) continue;
    const remaining = findAttribute(value, NFTA_ELEMENT.expiration);
    yield {
      key: key.slice(),
      isEnd: (readUint32(findAttribute(value, NFTA_ELEMENT.flags)) & ELEMENT_INTERVAL_END) !== 0,
      remainingMs: remaining === undefined ? undefined : Math.max(1, readUint64(remaining)),
    };
  }
}

function writeKey(writer: NetlinkWriter, key: Uint8Array): void {
  writer.nested(NFTA_ELEMENT.key, () => writer.attribute(NFTA_DATA_VALUE, key));
}
