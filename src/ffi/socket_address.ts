/**
 * Internet socket addresses as bytes: struct sockaddr_in, 16 bytes (netinet/in.h: family @0, port @2, address @4), and
 * struct sockaddr_in6, 28 bytes (family @0, port @2, address @8). The family is in host order, the rest in network
 * order.
 * @module
 */
import { type Address, addressFromBytes } from "../net/address.ts";

/** Address families (bits/socket.h). */
export const AF = { inet: 2, inet6: 10 } as const;

/** Room for an address of either family. */
export const SOCKET_ADDRESS_BYTES = 28;

/** Address and port of one end of a flow. */
export interface SocketAddress {
  /** The address; IPv4-mapped ones are IPv4. */
  readonly address: Address;
  /** The port. */
  readonly port: number;
}

/** The bytes that bind a socket to this port on every address of the family. */
export function anyAddress(family: number, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(family === AF.inet ? 16 : SOCKET_ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  return bytes;
}

/** What the kernel wrote; `undefined` for any other family. */
export function readSocketAddress(bytes: Uint8Array<ArrayBuffer>): SocketAddress | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 16) return undefined;
  const family = view.getUint16(0, true);
  const port = view.getUint16(2);
  if (family === AF.inet) return { address: addressFromBytes(bytes, 4, 4), port };
  if (family !== AF.inet6 || bytes.length < SOCKET_ADDRESS_BYTES) return undefined;
  return { address: addressFromBytes(bytes, 8, 6), port };
}
