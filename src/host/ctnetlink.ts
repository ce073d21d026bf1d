/**
 * The messages of ctnetlink (linux/netfilter/nfnetlink_conntrack.h) as bytes: asking for a flow, reading what it became.
 * @module
 */
import { AF } from "../ffi/socket_address.ts";
import { type Address, addressFromBytes, addressToBytes } from "../net/address.ts";
import type { IncomingPacket } from "../net/listener.ts";
import { findAttribute, type NetlinkWriter, readUint16, readUint32 } from "../net/netlink_message.ts";
import { IPPROTO } from "../net/protocol.ts";

/** Message types: NFNL_SUBSYS_CTNETLINK in the high byte. */
export const CTNETLINK = { get: 0x101, stats: 0x105 } as const;

const CTA = { tupleOriginal: 1, tupleReply: 2 } as const;
const CTA_TUPLE = { ip: 1, protocol: 2 } as const;
const CTA_IP = { v4Source: 1, v4Dest: 2, v6Source: 3, v6Dest: 4 } as const;
const CTA_PROTO = { number: 1, sourcePort: 2, destPort: 3 } as const;
const CTA_STATS_GLOBAL_ENTRIES = 1;
/** struct nfgenmsg: u8 family, u8 version, u16 resource. */
const NFGENMSG_BYTES = 4;

/** One end of a flow. */
export interface Endpoint {
  /** Its address. */
  readonly address: Address;
  /** Its port. */
  readonly port: number;
}

/** Write the question for the flow that this packet began or belongs to, in its direction. */
export function writeFlowQuestion(writer: NetlinkWriter, packet: IncomingPacket): void {
  const source = addressToBytes(packet.source);
  const dest = addressToBytes(packet.dest);
  const v4 = dest.length === 4;
  writer.raw(Uint8Array.of(v4 ? AF.inet : AF.inet6, 0, 0, 0));
  writer.nested(CTA.tupleOriginal, () => {
    writer.nested(CTA_TUPLE.ip, () => {
      writer.attribute(v4 ? CTA_IP.v4Source : CTA_IP.v6Source, source);
      writer.attribute(v4 ? CTA_IP.v4Dest : CTA_IP.v6Dest, dest);
    });
    writer.nested(CTA_TUPLE.protocol, () => {
      writer.attribute(CTA_PROTO.number, Uint8Array.of(IPPROTO[packet.protocol]));
      writer.attribute(CTA_PROTO.sourcePort, portBytes(packet.sourcePort));
      writer.attribute(CTA_PROTO.destPort, portBytes(packet.port));
    });
  });
}

/** Write the question for the table's counters. */
export function writeStatsQuestion(writer: NetlinkWriter): void {
  writer.raw(new Uint8Array(NFGENMSG_BYTES));
}

/** Who answers in this flow: the source of its reply direction. `undefined` when the message does not say. */
export function readReplier(payload: Uint8Array<ArrayBuffer>): Endpoint | undefined {
  const tuple = findAttribute(payload, CTA.tupleReply, NFGENMSG_BYTES);
  const ip = tuple && findAttribute(tuple, CTA_TUPLE.ip);
  const protocol = tuple && findAttribute(tuple, CTA_TUPLE.protocol);
  if (ip === undefined || protocol === undefined) return undefined;
  const port = findAttribute(protocol, CTA_PROTO.sourcePort);
  const v4 = findAttribute(ip, CTA_IP.v4Source);
  const v6 = findAttribute(ip, CTA_IP.v6Source);
  if (port?.length !== 2) return undefined;
  if (v4?.length === 4) return { address: addressFromBytes(v4, 0, 4), port: readUint16(port) };
  if (v6?.length === 16) return { address: addressFromBytes(v6, 0, 6), port: readUint16(port) };
  return undefined;
}

/** How many flows the table holds, from an answer to {@link writeStatsQuestion}. */
export function readFlowCount(payload: Uint8Array<ArrayBuffer>): number {
  return readUint32(findAttribute(payload, CTA_STATS_GLOBAL_ENTRIES, NFGENMSG_BYTES));
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port & 255);
}
