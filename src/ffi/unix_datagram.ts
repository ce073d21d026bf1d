/**
 * Datagrams to a socket in the file system or the abstract namespace (unix(7)): syslog and systemd listen there.
 *
 * By hand because the runtime offers Unix datagrams only behind an unstable flag.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { checked, lastErrno } from "./errno.ts";
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0x80000 | 0x800;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un (sys/un.h): sa_family_t sun_family; char sun_path[108]. */
const PATH_OFFSET = 2;
const PATH_BYTES = 108;

/** A socket that only sends, never waits, and needs no connection: whoever listens may come and go. */
export class UnixDatagram implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #address: Uint8Array<ArrayBuffer>;
  #closed = false;

  /**
   * Nobody needs to listen yet.
   *
   * @param path An absolute path, or `@name` for the abstract socket of that name.
   * @throws {TypeError} When the path does not fit a socket address.
   */
  constructor(path: string) {
    this.#path = path;
    this.#address = socketAddress(path);
    this.#fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0), "open Unix datagram socket");
  }

  /**
   * Send one datagram.
   *
   * @throws {SyscallError} ENOENT or ECONNREFUSED when nobody listens, EAGAIN when the listener's queue is full,
   * EMSGSIZE when it is too long.
   */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    const sent = libc.sendto(
      this.#fd,
      bytes,
      BigInt(bytes.length),
      MSG_NOSIGNAL,
      this.#address,
      this.#address.length,
    );
    if (sent < 0n) throw new SyscallError(`send to ${this.#path}`, lastErrno());
  }

  /** Close the descriptor. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.#fd);
  }
}

function socketAddress(path: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(path);
  const isAbstract = path.startsWith("@");
  if (!isAbstract && !path.startsWith("/")) {
    throw new TypeError(`${JSON.stringify(path)} is no socket address`);
  }
  // A path ends with a NUL; an abstract name starts with one and its length counts.
  if (name.length + (isAbstract ? 0 : 1) > PATH_BYTES || name.includes(0)) {
    throw new TypeError(`${JSON.stringify(path)} is too long for a socket address`);
  }
  const address = new Uint8Array(PATH_OFFSET + name.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, PATH_OFFSET);
  if (isAbstract) address[PATH_OFFSET] = 0;
  return address;
}
