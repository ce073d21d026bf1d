/**
 * Waiting for descriptors without a thread of our own and without busy loops: `poll(2)` on the runtime's thread pool,
 * with an eventfd beside them so that stopping is immediate.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

const POLLIN = 1;
const POLLNVAL = 32;
const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
/** struct pollfd (poll.h): int fd @0; short events @4; short revents @6. */
const POLLFD_BYTES = 8;
/** How long to leave the kernel alone when poll itself fails, which is only ever for want of memory. */
const RETRY_MS = 100;

/** Waits for any of some descriptors to become readable. One wait at a time. */
export class Poller implements Disposable {
  readonly #wakeFd: number;
  /** The watched descriptors, then the eventfd. Kept alive by this object while the kernel writes to it. */
  readonly #pollfds: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #count: number;
  #stopping: Promise<void> | undefined;
  #waiting: Promise<number> | undefined;

  /**
   * Nothing is waited for yet.
   *
   * @param fds Stay the caller's; close them only after {@link Poller.stop} has resolved.
   */
  constructor(fds: number | readonly number[]) {
    const watched = typeof fds === "number" ? [fds] : fds;
    this.#wakeFd = checked(libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "make eventfd");
    this.#count = watched.length + 1;
    this.#pollfds = new Uint8Array(this.#count * POLLFD_BYTES);
    this.#view = new DataView(this.#pollfds.buffer);
    for (const [index, fd] of [...watched, this.#wakeFd].entries()) {
      this.#view.setInt32(index * POLLFD_BYTES, fd, true);
      this.#view.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
    }
  }

  /**
   * Wait until a descriptor has something to read, an error is pending on one, or {@link Poller.stop} was called.
   *
   * @returns `false` once stopped: no further wait will happen.
   * @throws {SyscallError} EBADF when a descriptor was closed too early; going on would be a busy loop.
   */
  async wait(): Promise<boolean> {
    if (this.#stopping !== undefined) return false;
    this.#waiting = libc.poll(this.#pollfds, BigInt(this.#count), -1);
    const ready = await this.#waiting;
    this.#waiting = undefined;
    if (this.#stopping !== undefined) return false;
    if (this.#any(POLLNVAL)) throw new SyscallError("poll", "EBADF");
    // Which errno it was cannot be known after a nonblocking call.
    if (ready < 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return this.#stopping === undefined;
  }

  /** The indexes of the descriptors that the last wait found readable or failed. */
  ready(): readonly number[] {
    const ready: number[] = [];
    for (let index = 0; index < this.#count - 1; index++) {
      if (this.#revents(index) !== 0) ready.push(index);
    }
    return ready;
  }

  /** End the current wait and every later one. Resolves when no call is under way any more. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Same as {@link Poller.stop}, without waiting for it. */
  [Symbol.dispose](): void {
    void this.stop();
  }

  async #stop(): Promise<void> {
    const one = new Uint8Array(8);
    one[0] = 1;
    checked(libc.write(this.#wakeFd, one, BigInt(one.length)), "write eventfd");
    await this.#waiting;
    libc.close(this.#wakeFd);
  }

  #any(condition: number): boolean {
    for (let index = 0; index < this.#count - 1; index++) {
      if ((this.#revents(index) & condition) !== 0) return true;
    }
    return false;
  }

  #revents(index: number): number {
    return this.#view.getInt16(index * POLLFD_BYTES + 6, true);
  }
}
