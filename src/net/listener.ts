/**
 * What the host's sockets are asked about: a packet that came in, and the ports that wait for packets.
 * @module
 */
import type { Address } from "./address.ts";

/** The protocols whose ports belong to sockets. */
export const SOCKET_PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** One of {@link SOCKET_PROTOCOLS}. */
export type SocketProtocol = (typeof SOCKET_PROTOCOLS)[number];

/** An incoming packet, as far as it decides which socket receives it. */
export interface IncomingPacket {
  /** By which protocol it came. */
  readonly protocol: SocketProtocol;
  /** The address it is for. */
  readonly dest: Address;
  /** The port it is for. */
  readonly port: number;
  /** Who claims to have sent it. */
  readonly source: Address;
  /** The port it came from. */
  readonly sourcePort: number;
}

/** A socket that takes packets from anybody: TCP and SCTP ones that listen, UDP ones that are bound and not connected. */
export interface Listener {
  /** What it speaks. */
  readonly protocol: SocketProtocol;
  /** The one address it is bound to; `undefined` when it is bound to all. */
  readonly address: Address | undefined;
  /** The port it is bound to. */
  readonly port: number;
  /** Whether nobody outside this host can reach it: bound to a loopback address or to the loopback interface. */
  readonly loopback: boolean;
}
