/**
 * The numbers of nf_tables' netlink messages that we use (linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h).
 * @module
 */
import type { NetlinkWriter } from "./netlink_message.ts";

/** NFNL_SUBSYS_NFTABLES in the high byte. */
const SUBSYSTEM = 10 << 8;

/** Message types. */
export const NFT_MSG = {
  getTable: SUBSYSTEM | 1,
  deleteTable: SUBSYSTEM | 2,
  getChain: SUBSYSTEM | 4,
  getRule: SUBSYSTEM | 7,
  getSet: SUBSYSTEM | 10,
  newElement: SUBSYSTEM | 12,
  getElement: SUBSYSTEM | 13,
  deleteElement: SUBSYSTEM | 14,
  getGeneration: SUBSYSTEM | 16,
  getObject: SUBSYSTEM | 19,
} as const;

/** What encloses the messages of one transaction. */
export const NFNL_BATCH = { begin: 0x10, end: 0x11 } as const;

/** enum nft_table_attributes. */
export const NFTA_TABLE = { name: 1, handle: 4 } as const;
/** enum nft_chain_attributes. */
export const NFTA_CHAIN = { table: 1, name: 3 } as const;
/** enum nft_rule_attributes. */
export const NFTA_RULE = { table: 1, chain: 2 } as const;
/** enum nft_set_attributes. */
export const NFTA_SET = { table: 1, name: 2, flags: 3, keyBytes: 5, description: 9, timeout: 11 } as const;
/** enum nft_set_desc_attributes. */
export const NFTA_SET_DESC = { size: 1 } as const;
/** enum nft_set_elem_list_attributes. */
export const NFTA_LIST = { table: 1, set: 2, elements: 3 } as const;
/** NFTA_LIST_ELEM, the type of everything in a list. */
export const NFTA_LIST_ITEM = 1;
/** enum nft_set_elem_attributes. */
export const NFTA_ELEMENT = { key: 1, flags: 3, timeout: 4, expiration: 5 } as const;
/** NFTA_DATA_VALUE. */
export const NFTA_DATA_VALUE = 1;
/** enum nft_object_attributes. */
export const NFTA_OBJECT = { table: 1, name: 2, type: 3, data: 4 } as const;
/** NFT_OBJECT_COUNTER. */
export const NFT_OBJECT_COUNTER = 1;
/** enum nft_counter_attributes. */
export const NFTA_COUNTER = { packets: 2 } as const;
/** NFTA_GEN_ID: the number of the ruleset's last change. */
export const NFTA_GENERATION = 1;

/** enum nft_set_flags. */
export const NFT_SET = { interval: 0x4, timeout: 0x10, dynamic: 0x20 } as const;
/** NFT_SET_ELEM_INTERVAL_END: this element is the first key behind an interval. */
export const ELEMENT_INTERVAL_END = 1;

const NFPROTO_INET = 1;
/** struct nfgenmsg: u8 family, u8 version, be16 resource. */
export const NFGENMSG_BYTES = 4;

/** Write struct nfgenmsg for a table of family `inet`. */
export function writeInetHeader(writer: NetlinkWriter): void {
  writer.raw(Uint8Array.of(NFPROTO_INET, 0, 0, 0));
}

/** Write struct nfgenmsg of the begin or end of a transaction: the resource is the subsystem. */
export function writeBatchHeader(writer: NetlinkWriter): void {
  writer.raw(Uint8Array.of(0, 0, SUBSYSTEM >> 16, SUBSYSTEM >> 8));
}
