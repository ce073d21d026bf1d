/**
 * A netlink socket: datagrams to and from the kernel.
 *
 * Messages are made and read in `net/netlink_message.ts`; this file only moves bytes.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { checked, lastErrno } from "./errno.ts";
import { libc } from "./libc.ts";

/** Netlink families (linux/netlink.h). */
export const NETLINK = { route: 0, sockDiag: 4, netfilter: 12 } as const;

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** setsockopt(NETLINK_NO_ENOBUFS) is not used: an overrun must be seen. */
const SOCKADDR_NL_BYTES = 12;
const MSG_TRUNC = 0x20;
const RECEIVE_BYTES = 1 << 18;

/** What one read gave. */
export type Received =
  /** A datagram. Borrowed: valid until the next call of `receive`. */
  | { readonly kind: "data"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Nothing is waiting. */
  | { readonly kind: "empty" }
  /** The kernel had to drop messages for us (ENOBUFS), or one did not fit our buffer; reading can go on. */
  | { readonly kind: "overrun" };

/** Options of {@link NetlinkSocket}. */
export interface NetlinkOptions {
  /** Multicast groups to join, by number (not by bit). */
  readonly groups?: readonly number[];
  /** Size of the receive buffer in bytes; privileged processes are not bound by rmem_max. */
  readonly receiveBytes?: number;
  /**
   * The largest datagram that can be read, in bytes (default 256 KiB). Dumps come in at most 32 KiB each
   * (net/netlink/af_netlink.c).
   */
  readonly bufferBytes?: number;
}

/** A nonblocking netlink socket. */
export class NetlinkSocket implements Disposable {
  /** The descriptor, for a {@link Poller}. Closed by dispose. */
  readonly fd: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #closed = false;

  /**
   * Open a socket and join the groups.
   *
   * @param family One of {@link NETLINK}.
   * @throws {SyscallError} When the kernel has no such family or refuses.
   */
  constructor(family: number, options: NetlinkOptions = {}) {
    this.#buffer = new Uint8Array(options.bufferBytes ?? RECEIVE_BYTES);
    this.fd = checked(libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC_NONBLOCK, family), "open netlink socket");
    try {
      if (options.receiveBytes !== undefined) this.#setReceiveBuffer(options.receiveBytes);
      const address = new Uint8Array(SOCKADDR_NL_BYTES);
      new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
      checked(libc.bind(this.fd, address, SOCKADDR_NL_BYTES), "bind netlink socket");
      for (const group of options.groups ?? []) {
        const value = int32(group);
        checked(
          libc.setsockopt(this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, value, 4),
          "join netlink group",
        );
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Send one datagram, which may hold several messages.
   *
   * @throws {SyscallError} EMSGSIZE when it is larger than the send buffer.
   */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    checked(libc.send(this.fd, bytes, BigInt(bytes.length), 0), "send to netlink");
  }

  /** Let datagrams of up to this size be sent; the default of most systems is about 200 KiB. */
  setSendBuffer(bytes: number): void {
    checked(
      libc.setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, int32(bytes), 4),
      "size netlink send buffer",
    );
  }

  /**
   * Read one datagram, without waiting.
   *
   * @throws {SyscallError} On any failure but "nothing there" and "overrun".
   */
  receive(): Received {
    const length = libc.recv(this.fd, this.#buffer, BigInt(this.#buffer.length), MSG_TRUNC);
    if (length > BigInt(this.#buffer.length)) return { kind: "overrun" };
    if (length >= 0n) return { kind: "data", bytes: this.#buffer.subarray(0, Number(length)) };
    const code = lastErrno();
    if (code === "EAGAIN" || code === "EINTR") return { kind: "empty" };
    if (code === "ENOBUFS") return { kind: "overrun" };
    throw new SyscallError("receive from netlink", code);
  }

  /** Close the descriptor. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.fd);
  }

  #setReceiveBuffer(bytes: number): void {
    if (libc.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(bytes), 4) >= 0) return;
    checked(libc.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, int32(bytes), 4), "size netlink receive buffer");
  }
}

function int32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
