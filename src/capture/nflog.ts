/**
 * The messages of nfnetlink_log (linux/netfilter/nfnetlink_log.h) as bytes: how a group is set up, and what a packet that
 * the kernel logged looks like.
 *
 * Pure. Reading a packet makes no object but the frame: a flood comes through here.
 * @module
 */
import { type NetlinkWriter, NLM_F } from "../net/netlink_message.ts";
import type { Frame } from "./frame.ts";

/**
 * The groups that our ruleset logs to. Far from the small numbers that other programs use by default, and two of
 * them: when a flood of forged first probes overruns the one, what sources in quarantine do still comes through the other.
 */
export const NFLOG_GROUP = {
  /** Trapped packets of sources about which nothing is known. */
  first: 5017,
  /** Trapped packets of sources in quarantine. */
  held: 5018,
} as const;

/** Where no program has a group: to learn whether this process may bind any, or the kernel can. */
export const SPARE_NFLOG_GROUP = 64_217;

/** Message types: NFNL_SUBSYS_ULOG in the high byte. */
const NFULNL_MSG = { packet: 4 << 8, config: (4 << 8) | 1 } as const;
const NFULA_CFG = { command: 1, mode: 2, bufferBytes: 3, timeout: 4, threshold: 5, flags: 6 } as const;
const NFULNL_CFG_CMD = { bind: 1, unbind: 2 } as const;
const NFULNL_COPY_PACKET = 2;
/** Number the packets of the group, so that a gap shows what was lost. */
const NFULNL_CFG_F_SEQ = 1;
const NFULA = { timestamp: 3, payload: 9, sequence: 12 } as const;
const NLMSGHDR_BYTES = 16;
const NFGENMSG_BYTES = 4;
const ATTRIBUTE_HEADER_BYTES = 4;
const TYPE_MASK = 0x3fff;

/** What a group is told when it is bound. */
export interface GroupOptions {
  /** Bytes of each packet, from its IP header on. */
  readonly copyBytes: number;
  /** Bytes that the kernel gathers before it sends; also the largest datagram. */
  readonly bufferBytes: number;
}

/** How the kernel gathers packets before it wakes us. */
export interface Gathering {
  /** Packets until it sends. */
  readonly threshold: number;
  /** Hundredths of a second until it sends what there is. */
  readonly timeoutCs: number;
}

/** Write the request to bind a group to our socket. The kernel answers EPERM when it is somebody else's. */
export function writeBind(writer: NetlinkWriter, group: number, sequence: number): void {
  config(
    writer,
    { group, sequence },
    () => writer.attribute(NFULA_CFG.command, Uint8Array.of(NFULNL_CFG_CMD.bind)),
  );
}

/** Write the request to give a group up. */
export function writeUnbind(writer: NetlinkWriter, group: number, sequence: number): void {
  config(
    writer,
    { group, sequence },
    () => writer.attribute(NFULA_CFG.command, Uint8Array.of(NFULNL_CFG_CMD.unbind)),
  );
}

/** Write how a bound group hands over its packets. */
export function writeGroupOptions(
  writer: NetlinkWriter,
  request: { readonly group: number; readonly sequence: number },
  options: GroupOptions,
): void {
  config(writer, request, () => {
    // struct nfulnl_msg_config_mode: be32 copy_range, u8 copy_mode, u8 padding.
    const mode = new Uint8Array(6);
    new DataView(mode.buffer).setUint32(0, options.copyBytes);
    mode[4] = NFULNL_COPY_PACKET;
    writer.attribute(NFULA_CFG.mode, mode);
    writer.uint32(NFULA_CFG.bufferBytes, options.bufferBytes);
    writer.attribute(NFULA_CFG.flags, Uint8Array.of(0, NFULNL_CFG_F_SEQ));
  });
}

/** Write how a bound group gathers its packets. */
export function writeGathering(
  writer: NetlinkWriter,
  request: { readonly group: number; readonly sequence: number },
  gathering: Gathering,
): void {
  config(writer, request, () => {
    writer.uint32(NFULA_CFG.threshold, gathering.threshold);
    writer.uint32(NFULA_CFG.timeout, gathering.timeoutCs);
  });
}

/** Takes a packet of a group. Its frame's bytes are borrowed from the datagram. */
export type LoggedPacketVisitor = (frame: Frame, sequence: number) => void;

/**
 * Visit the packets of a datagram, up to the first whose lengths do not fit; other messages are passed over.
 *
 * @param now Seconds since the epoch, for packets that the kernel has put no time on.
 */
export function readLoggedPackets(
  datagram: Uint8Array<ArrayBuffer>,
  options: { readonly copyBytes: number; readonly now: number },
  visit: LoggedPacketVisitor,
): void {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  let at = 0;
  while (at + NLMSGHDR_BYTES <= datagram.length) {
    const length = view.getUint32(at, true);
    if (length < NLMSGHDR_BYTES || length > datagram.length - at) return;
    if (view.getUint16(at + 4, true) === NFULNL_MSG.packet) {
      readPacket(view, { start: at + NLMSGHDR_BYTES + NFGENMSG_BYTES, end: at + length, ...options }, visit);
    }
    at += align(length);
  }
}

/** The length of a packet on the wire, as its IP header has it; never less than what is there. */
export function wireLengthOf(bytes: Uint8Array, copyBytes: number): number {
  if (bytes.length < copyBytes) return bytes.length;
  const high = (bytes[0] ?? 0) >> 4 === 4 ? 2 : 4;
  const written = ((bytes[high] ?? 0) << 8) | (bytes[high + 1] ?? 0);
  return Math.max(bytes.length, high === 2 ? written : written + 40);
}

function readPacket(
  view: DataView<ArrayBuffer>,
  message: { readonly start: number; readonly end: number; readonly copyBytes: number; readonly now: number },
  visit: LoggedPacketVisitor,
): void {
  let time = message.now;
  let sequence = -1;
  let payload: Uint8Array<ArrayBuffer> | undefined;
  for (let at = message.start; at + ATTRIBUTE_HEADER_BYTES <= message.end;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || length > message.end - at) return;
    const value = at + ATTRIBUTE_HEADER_BYTES;
    const size = length - ATTRIBUTE_HEADER_BYTES;
    switch (view.getUint16(at + 2, true) & TYPE_MASK) {
      case NFULA.timestamp:
        // struct nfulnl_msg_packet_timestamp: be64 seconds, be64 microseconds.
        if (size >= 16) time = Number(view.getBigUint64(value)) + Number(view.getBigUint64(value + 8)) / 1e6;
        break;
      case NFULA.sequence:
        if (size >= 4) sequence = view.getUint32(value);
        break;
      case NFULA.payload:
        payload = new Uint8Array(view.buffer, view.byteOffset + value, size);
        break;
    }
    at += align(length);
  }
  if (payload === undefined) return;
  const wireLength = wireLengthOf(payload, message.copyBytes);
  visit({ time, bytes: payload, wireLength, outgoing: false }, sequence);
}

function config(
  writer: NetlinkWriter,
  request: { readonly group: number; readonly sequence: number },
  body: () => void,
): void {
  const flags = NLM_F.request | NLM_F.ack;
  writer.message({ type: NFULNL_MSG.config, flags, sequence: request.sequence }, () => {
    // struct nfgenmsg: u8 family, u8 version, be16 resource (the group).
    writer.raw(Uint8Array.of(0, 0, request.group >> 8, request.group & 255));
    body();
  });
}

function align(length: number): number {
  return (length + 3) & ~3;
}
