/**
 * A TCP port that lets anybody in, to see who comes.
 *
 * Not the runtime's listener: that loses a caller who resets at once (`nmap -sT`), because it asks for the
 * caller's address only after accepting. The accept call itself still knows it.
 * @module
 */
import type { Address } from "../net/address.ts";
import { bindEverywhere } from "./bound_socket.ts";
import { checked, lastErrno } from "./errno.ts";
import { libc } from "./libc.ts";
import { readSocketAddress, SOCKET_ADDRESS_BYTES } from "./socket_address.ts";

const SOCK_CLOEXEC_NONBLOCK = 0x80000 | 0x800;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** Completed handshakes that wait for us; the kernel refuses more. */
const BACKLOG = 64;
/** What accept(2) reports of a caller who is gone: not a fault of this socket. */
const GONE: ReadonlySet<string> = new Set([
  "ECONNABORTED",
  "EINTR",
  "EPROTO",
  "ENETDOWN",
  "ENOPROTOOPT",
  "EHOSTUNREACH",
  "EOPNOTSUPP",
  "ENETUNREACH",
  "EPERM",
]);

/** What one attempt to accept gave. */
export type Accepted =
  /** Somebody completed the handshake. The connection is closed again already. */
  | { readonly kind: "caller"; readonly source: Address; readonly dest: Address }
  /** Somebody did, but is gone and unknown. */
  | { readonly kind: "gone" }
  /** Nobody is waiting. */
  | { readonly kind: "nobody" }
  /** Somebody is waiting who cannot be let in now, such as for want of descriptors (EMFILE). */
  | { readonly kind: "refused"; readonly code: string };

/** A listening socket on one port. */
export class TcpTrap implements Disposable {
  /** The descriptor, for a poller. */
  readonly fd: number;
  /** The port it listens on. */
  readonly port: number;
  readonly #address = new Uint8Array(SOCKET_ADDRESS_BYTES);
  readonly #length = new Uint32Array(1);
  #closed = false;

  /**
   * Listens from now on.
   *
   * @throws {SyscallError} EADDRINUSE when a service has the port.
   */
  constructor(port: number) {
    this.port = port;
    this.fd = bindEverywhere({ protocol: "tcp", port }).fd;
    try {
      checked(libc.listen(this.fd, BACKLOG), `listen on tcp port ${port}`);
    } catch (error) {
      libc.close(this.fd);
      throw error;
    }
  }

  /**
   * Let one caller in, send the banner, and close: no connection is ever left open.
   *
   * @param banner Sent as far as the socket takes it at once. A caller who sent something may lose it to the
   *   reset that closing then causes.
   */
  accept(banner?: Uint8Array<ArrayBuffer>): Accepted {
    this.#length[0] = SOCKET_ADDRESS_BYTES;
    const length = new Uint8Array(this.#length.buffer);
    const fd = libc.accept4(this.fd, this.#address, length, SOCK_CLOEXEC_NONBLOCK);
    if (fd < 0) return refusal(lastErrno());
    const source = this.#read();
    this.#length[0] = SOCKET_ADDRESS_BYTES;
    const local = libc.getsockname(fd, this.#address, length) < 0 ? undefined : this.#read();
    if (banner !== undefined) libc.send(fd, banner, BigInt(banner.length), MSG_DONTWAIT_NOSIGNAL);
    libc.close(fd);
    if (source === undefined || local === undefined) return { kind: "gone" };
    return { kind: "caller", source, dest: local };
  }

  /** Close. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.fd);
  }

  #read(): Address | undefined {
    return readSocketAddress(this.#address.subarray(0, this.#length[0]))?.address;
  }
}

function refusal(code: string): Accepted {
  if (code === "EAGAIN") return { kind: "nobody" };
  return GONE.has(code) ? { kind: "gone" } : { kind: "refused", code };
}
