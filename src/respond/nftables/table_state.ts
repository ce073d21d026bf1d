/**
 * What the kernel has of our table, asked by netlink: whether it is whole, and what its counters say.
 * @module
 */
import { SyscallError } from "../../errors.ts";
import type { NetlinkExchange } from "../../host/netlink_exchange.ts";
import {
  findAttribute,
  type NetlinkMessage,
  type NetlinkWriter,
  readUint32,
  readUint64,
} from "../../net/netlink_message.ts";
import {
  NFGENMSG_BYTES,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFT_SET,
  NFTA_CHAIN,
  NFTA_COUNTER,
  NFTA_GENERATION,
  NFTA_OBJECT,
  NFTA_RULE,
  NFTA_SET,
  NFTA_SET_DESC,
  NFTA_TABLE,
  writeInetHeader,
} from "../../net/nf_tables.ts";
import type { ExistingSet, ExistingTable } from "./ruleset.ts";
import { TABLE } from "./sets.ts";

/** Our table as the kernel has it. */
export interface TableState extends ExistingTable {
  /** The kernel's number for this very table; one that is made anew under the same name has another. */
  readonly handle: number;
  /** How many rules each chain has. */
  readonly rules: ReadonlyMap<string, number>;
}

/** The flags that a definition says something about; nft adds others of its own. */
const OWN_FLAGS = NFT_SET.interval | NFT_SET.timeout | NFT_SET.dynamic;
const NFPROTO_INET = 1;

/** A number that is different after each change of any table. */
export function readGeneration(exchange: NetlinkExchange): number {
  const answer = exchange.ask({
    operation: "ask for the nf_tables generation",
    type: NFT_MSG.getGeneration,
    body: writeInetHeader,
  });
  return readUint32(answer && findAttribute(answer, NFTA_GENERATION, NFGENMSG_BYTES));
}

/** Our table, or `undefined` when it is not there. */
export function readTable(exchange: NetlinkExchange): TableState | undefined {
  try {
    const handle = readHandle(exchange);
    if (handle === undefined) return undefined;
    const sets: ExistingSet[] = [];
    dump(exchange, NFT_MSG.getSet, {
      table: NFTA_SET.table,
      visit: (message) => sets.push(...setOf(message)),
    });
    const rules = new Map<string, number>();
    // Not every kernel leaves out the chains of other tables.
    dump(exchange, NFT_MSG.getChain, {
      table: NFTA_CHAIN.table,
      visit: ({ payload }) => {
        if (payload[0] !== NFPROTO_INET || text(payload, NFTA_CHAIN.table) !== TABLE) return;
        rules.set(text(payload, NFTA_CHAIN.name), 0);
      },
    });
    dump(exchange, NFT_MSG.getRule, {
      table: NFTA_RULE.table,
      visit: ({ payload }) => {
        const chain = text(payload, NFTA_RULE.chain);
        rules.set(chain, (rules.get(chain) ?? 0) + 1);
      },
    });
    return sets.length + rules.size === 0 ? undefined : { handle, chains: [...rules.keys()], sets, rules };
  } catch (error) {
    if (error instanceof SyscallError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function readHandle(exchange: NetlinkExchange): number | undefined {
  const table = exchange.ask({
    operation: `ask for table inet ${TABLE}`,
    type: NFT_MSG.getTable,
    body: (writer) => {
      writeInetHeader(writer);
      writer.text(NFTA_TABLE.name, TABLE);
    },
  });
  return table && readUint64(findAttribute(table, NFTA_TABLE.handle, NFGENMSG_BYTES));
}

/** The packets that each counter of our table has counted; empty without the table. */
export function readCounters(exchange: NetlinkExchange): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  try {
    dump(exchange, NFT_MSG.getObject, {
      table: NFTA_OBJECT.table,
      more: (writer) => writer.uint32(NFTA_OBJECT.type, NFT_OBJECT_COUNTER),
      visit: ({ payload }) => {
        const data = findAttribute(payload, NFTA_OBJECT.data, NFGENMSG_BYTES);
        const packets = readUint64(data && findAttribute(data, NFTA_COUNTER.packets));
        counters.set(text(payload, NFTA_OBJECT.name), packets);
      },
    });
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
  }
  return counters;
}

/** What of `expected` is missing in `actual`, in words; `undefined` when nothing is. */
export function missingIn(actual: TableState | undefined, expected: TableState): string | undefined {
  // Somebody may have put it back as they had saved it, with bans that are over and without those made since.
  if (actual?.handle !== expected.handle) return `table inet ${TABLE}`;
  for (const { name } of expected.sets) {
    if (!actual.sets.some((set) => set.name === name)) return `set ${name}`;
  }
  for (const [chain, count] of expected.rules) {
    const there = actual.rules.get(chain);
    if (there === undefined) return `chain ${chain}`;
    if (there !== count) return `rules of chain ${chain}`;
  }
  return undefined;
}

function dump(
  exchange: NetlinkExchange,
  type: number,
  options: {
    readonly table: number;
    readonly more?: (writer: NetlinkWriter) => void;
    readonly visit: (message: NetlinkMessage) => void;
  },
): void {
  exchange.dump({
    operation: `ask for table inet ${TABLE}`,
    type,
    body: (writer) => {
      writeInetHeader(writer);
      writer.text(options.table, TABLE);
      options.more?.(writer);
    },
  }, (message) => options.visit(message));
}

/** Sets without a name of their own (`{ 0, 1 }` in a rule) belong to their rule. */
function setOf({ payload }: NetlinkMessage): readonly ExistingSet[] {
  const name = text(payload, NFTA_SET.name);
  if (name === "" || name.startsWith("__")) return [];
  const description = findAttribute(payload, NFTA_SET.description, NFGENMSG_BYTES);
  const number = (type: number): number => readUint32(findAttribute(payload, type, NFGENMSG_BYTES));
  return [{
    name,
    keyBytes: number(NFTA_SET.keyBytes),
    flags: number(NFTA_SET.flags) & OWN_FLAGS,
    size: readUint32(description && findAttribute(description, NFTA_SET_DESC.size)),
    timeoutSeconds: readUint64(findAttribute(payload, NFTA_SET.timeout, NFGENMSG_BYTES)) / 1000,
  }];
}

function text(payload: Uint8Array<ArrayBuffer>, type: number): string {
  const value = findAttribute(payload, type, NFGENMSG_BYTES);
  return value === undefined ? "" : new TextDecoder().decode(value).replace(/\0.*$/s, "");
}
