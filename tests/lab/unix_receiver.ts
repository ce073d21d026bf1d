/**
 * The other end of syslog and sd_notify: a bound Unix datagram socket that a test reads.
 * @module
 */
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;

/** A socket of the kind that journald and rsyslog bind. */
export class UnixReceiver implements Disposable {
  readonly #fd: number;
  readonly #path: string;

  /** Binds `path`; `@name` is the abstract socket of that name. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const name = new TextEncoder().encode(path);
    const address = new Uint8Array(2 + name.length + (path.startsWith("@") ? 0 : 1));
    address[0] = AF_UNIX;
    address.set(name, 2);
    if (path.startsWith("@")) address[2] = 0;
    if (libc.bind(this.#fd, address, address.length) < 0) throw new Error(`Cannot bind ${path}`);
  }

  /** Everything that is waiting, as text. */
  received(): string[] {
    const all: string[] = [];
    const buffer = new Uint8Array(65536);
    for (;;) {
      const length = Number(libc.recv(this.#fd, buffer, BigInt(buffer.length), 0));
      if (length < 0) return all;
      all.push(new TextDecoder().decode(buffer.subarray(0, length)));
    }
  }

  /** Close, and remove the socket from the file system. */
  [Symbol.dispose](): void {
    libc.close(this.#fd);
    if (!this.#path.startsWith("@")) Deno.removeSync(this.#path);
  }
}
