/**
 * The other end of syslog and sd_notify: a bound Unix datagram socket that a test reads.
 * @module
 */

const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
}).symbols;

/** A socket of the kind that journald and rsyslog bind. */
export class UnixReceiver implements Disposable {
  readonly #fd: number;
  readonly #path: string;

  /** Binds `path`; `@name` is the abstract socket of that name. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = libc.socket(1, 2 | 0x800, 0);
    const name = new TextEncoder().encode(path);
    const address = new Uint8Array(2 + name.length + (path.startsWith("@") ? 0 : 1));
    address[0] = 1;
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
