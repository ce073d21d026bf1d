/**
 * The messages of sock_diag(7) for Internet sockets (linux/inet_diag.h) as bytes: what we ask, what comes back.
 * @module
 */
import { AF } from "../ffi/socket_address.ts";
import {
  type Address,
  addressFromBytes,
  addressToBytes,
  type Family,
  isUnspecified,
} from "../net/address.ts";
import { type IncomingPacket, type SocketProtocol } from "../net/listener.ts";
import { findAttribute } from "../net/netlink_message.ts";
import { type PortRange } from "../net/ports.ts";
import { IPPROTO } from "../net/protocol.ts";

/** Message type of questions and answers (linux/sock_diag.h, SOCK_DIAG_BY_FAMILY). */
export const SOCK_DIAG_BY_FAMILY = 20;
/** Message type of the older questions and answers, about TCP sockets of both families (linux/inet_diag.h, TCPDIAG_GETSOCK). */
export const TCPDIAG_GETSOCK = 18;
/** The attribute that carries a filter program (INET_DIAG_REQ_BYTECODE). */
export const REQUEST_BYTECODE = 1;
/** Socket states (linux/tcp_states.h), for {@link listRequest}. UDP sockets are `closed` or, connected, `established`. */
export const SOCKET_STATE = { established: 1, closed: 7, listen: 10 } as const;
/** The most ranges that {@link portFilter} can express: its jumps are 16 bits wide. */
export const MAX_FILTER_RANGES = 3000;

/** struct inet_diag_req_v2: 8 bytes, then struct inet_diag_sockid. */
const REQUEST_BYTES = 56;
/** struct inet_diag_req: 3 bytes, u8 idiag_ext, struct inet_diag_sockid, u32 idiag_states @52, u32 idiag_dbs. */
const TCP_REQUEST = { extensions: 3, states: 52, bytes: 60 } as const;
/** The attribute that holds struct tcp_info. */
const INET_DIAG_INFO = 2;
/** u64 tcpi_bytes_received in struct tcp_info (linux/tcp.h). */
const TCP_INFO_BYTES_RECEIVED = 128;
/** struct inet_diag_msg. */
const MESSAGE_BYTES = 72;
/** struct inet_diag_sockid, from the start of either struct. */
const REQUEST_ID = 8;
const MESSAGE_ID = 4;
/** Offsets in struct inet_diag_sockid: two ports, two addresses of 16 bytes, interface, cookie. */
const ID = { sourcePort: 0, destPort: 2, source: 4, dest: 20, interface: 36, cookie: 40 } as const;

/** A socket as sock_diag describes it. */
export interface DiagSocket {
  /** One of {@link SOCKET_STATE} or another TCP state. */
  readonly state: number;
  /** Its own address; `undefined`: any. */
  readonly local: Address | undefined;
  /** Its own port. */
  readonly localPort: number;
  /** The other end's address; `undefined` when it is not connected. */
  readonly remote: Address | undefined;
  /** The other end's port, 0 when it is not connected. */
  readonly remotePort: number;
  /** Index of the interface it is bound to, 0 for any. */
  readonly interface: number;
}

/** A question for all sockets of one kind. */
export function listRequest(
  protocol: SocketProtocol,
  options: { readonly family: Family; readonly state: number },
): Uint8Array {
  const { bytes, view } = emptyRequest(protocol, options.family);
  view.setUint32(4, 1 << options.state, true);
  return bytes;
}

/**
 * A question for all TCP sockets of both families, in its older form (struct inet_diag_req), to be sent as
 * {@link TCPDIAG_GETSOCK}: each family by itself would cost another walk through the table of all connections, which is
 * large even when it is empty. The answers carry what {@link readBytesReceived} reads.
 */
export function tcpListRequest(state: number): Uint8Array {
  const bytes = new Uint8Array(TCP_REQUEST.bytes);
  bytes[TCP_REQUEST.extensions] = 1 << (INET_DIAG_INFO - 1);
  new DataView(bytes.buffer).setUint32(TCP_REQUEST.states, 1 << state, true);
  return bytes;
}

/** A question for the one socket that would receive this packet, if it came in on the interface with this index (0: any). */
export function lookupRequest(packet: IncomingPacket, interfaceIndex: number): Uint8Array {
  const here = addressToBytes(packet.dest);
  const there = addressToBytes(packet.source);
  const { bytes, view } = emptyRequest(packet.protocol, here.length === 4 ? 4 : 6);
  view.setUint32(4, 0xffffffff, true);
  // udp_diag takes the two ends the other way round than tcp_diag (net/ipv4/udp_diag.c: "swapped for historical reasons").
  const swapped = packet.protocol === "udp";
  view.setUint16(REQUEST_ID + (swapped ? ID.destPort : ID.sourcePort), packet.port);
  view.setUint16(REQUEST_ID + (swapped ? ID.sourcePort : ID.destPort), packet.sourcePort);
  bytes.set(here, REQUEST_ID + (swapped ? ID.dest : ID.source));
  bytes.set(there, REQUEST_ID + (swapped ? ID.source : ID.dest));
  view.setUint32(REQUEST_ID + ID.interface, interfaceIndex, true);
  return bytes;
}

/** The socket in an answer's payload, or `undefined` when it is cut short or of another family. */
export function readSocket(payload: Uint8Array<ArrayBuffer>): DiagSocket | undefined {
  if (payload.length < MESSAGE_BYTES) return undefined;
  const family = payload[0] === AF.inet ? 4 : payload[0] === AF.inet6 ? 6 : undefined;
  if (family === undefined) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return {
    state: payload[1] ?? 0,
    local: boundAddress(payload, { offset: MESSAGE_ID + ID.source, family }),
    localPort: view.getUint16(MESSAGE_ID + ID.sourcePort),
    remote: boundAddress(payload, { offset: MESSAGE_ID + ID.dest, family }),
    remotePort: view.getUint16(MESSAGE_ID + ID.destPort),
    interface: view.getUint32(MESSAGE_ID + ID.interface, true),
  };
}

/** How many bytes a TCP socket has received from its peer, or `undefined` when the answer does not say. */
export function readBytesReceived(payload: Uint8Array<ArrayBuffer>): bigint | undefined {
  const info = findAttribute(payload, INET_DIAG_INFO, MESSAGE_BYTES);
  if (info === undefined || info.length < TCP_INFO_BYTES_RECEIVED + 8) return undefined;
  return new DataView(info.buffer, info.byteOffset).getBigUint64(TCP_INFO_BYTES_RECEIVED, true);
}

/**
 * The addresses that an SCTP endpoint or association is bound to (INET_DIAG_LOCALS: struct sockaddr_storage each), which
 * may be several; the fixed part of the message holds the first alone.
 */
export function readLocalAddresses(payload: Uint8Array<ArrayBuffer>): readonly Address[] {
  const INET_DIAG_LOCALS = 14;
  const SOCKADDR_STORAGE_BYTES = 128;
  const list = findAttribute(payload, INET_DIAG_LOCALS, MESSAGE_BYTES);
  const addresses: Address[] = [];
  for (
    let at = 0;
    list !== undefined && at + SOCKADDR_STORAGE_BYTES <= list.length;
    at += SOCKADDR_STORAGE_BYTES
  ) {
    const family = list[at];
    if (family === AF.inet) addresses.push(addressFromBytes(list, at + 4, 4));
    if (family === AF.inet6) addresses.push(addressFromBytes(list, at + 8, 6));
  }
  return addresses;
}

/**
 * A filter program (struct inet_diag_bc_op) that lets pass the sockets whose own port is in one of these ranges.
 *
 * The kernel accepts when the program ends exactly at its end and rejects when it jumps 4 bytes beyond; each range is
 * "first or above? last or below? then jump to the end".
 *
 * @param ranges One to {@link MAX_FILTER_RANGES}.
 */
export function portFilter(ranges: readonly PortRange[]): Uint8Array {
  const OP = { jump: 1, sourceAtLeast: 2, sourceAtMost: 3 } as const;
  const RANGE_BYTES = 20;
  const bytes = new Uint8Array(ranges.length * RANGE_BYTES);
  const view = new DataView(bytes.buffer);
  const write = (
    at: number,
    op: { readonly code: number; readonly yes: number; readonly no: number },
  ): void => {
    view.setUint8(at, op.code);
    view.setUint8(at + 1, op.yes);
    view.setUint16(at + 2, op.no, true);
  };
  for (const [index, { first, last }] of ranges.entries()) {
    const at = index * RANGE_BYTES;
    // From the last range on, "the next range" is the rejection, 4 bytes beyond the end.
    const beyond = index === ranges.length - 1 ? 4 : 0;
    write(at, { code: OP.sourceAtLeast, yes: 8, no: RANGE_BYTES + beyond });
    view.setUint16(at + 6, first, true);
    write(at + 8, { code: OP.sourceAtMost, yes: 8, no: RANGE_BYTES - 8 + beyond });
    view.setUint16(at + 14, last, true);
    write(at + 16, { code: OP.jump, yes: 4, no: bytes.length - at - 16 });
  }
  return bytes;
}

function emptyRequest(
  protocol: SocketProtocol,
  family: Family,
): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = family === 4 ? AF.inet : AF.inet6;
  bytes[1] = IPPROTO[protocol];
  // INET_DIAG_NOCOOKIE: whichever socket it is.
  view.setUint32(REQUEST_ID + ID.cookie, 0xffffffff);
  view.setUint32(REQUEST_ID + ID.cookie + 4, 0xffffffff);
  return { bytes, view };
}

function boundAddress(
  payload: Uint8Array<ArrayBuffer>,
  place: { readonly offset: number; readonly family: Family },
): Address | undefined {
  const address = addressFromBytes(payload, place.offset, place.family);
  return isUnspecified(address) ? undefined : address;
}
