/**
 * A regular file that nobody else has open: held by a write lease (fcntl(2), F_SETLEASE), under which the kernel lets
 * everybody who opens it wait until it is closed here.
 *
 * So that a file can be cut off without cutting off what another program appends at that moment. Everything between
 * open and dispose is synchronous and short: others wait for it.
 * @module
 */
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** Flags of open(2), asm-generic/fcntl.h; the same on x86-64. */
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
/** The two architectures differ (arch/arm64/include/uapi/asm/fcntl.h). */
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;

/** Operations of fcntl(2), uapi/linux/fcntl.h. */
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_WRLCK = 1;
/** What the kernel sends when somebody waits for us. SIGIO, the default, would end the process; this is ignored. */
const SIGURG = 23;

const SEEK_SET = 0;
const SEEK_CUR = 1;
const SEEK_END = 2;

/** The file, from {@link LeasedFile.open} until it is disposed of. */
export class LeasedFile implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** The file at `path`; `undefined` when somebody else has it open, or its file system knows no leases. */
  static open(path: string): LeasedFile | undefined {
    const name = new TextEncoder().encode(`${path}\0`);
    const fd = libc.open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0) return undefined;
    if (libc.fcntl(fd, F_SETSIG, SIGURG) === 0 && libc.fcntl(fd, F_SETLEASE, F_WRLCK) === 0) {
      return new LeasedFile(fd);
    }
    libc.close(fd);
    return undefined;
  }

  /** Go to a byte, counted from the start. */
  seekSync(offset: number): number {
    return this.#seek(offset, SEEK_SET);
  }

  /** Read from there; `null` at the end. */
  readSync(buffer: Uint8Array<ArrayBuffer>): number | null {
    const read = checked(libc.read(this.#fd, buffer, BigInt(buffer.length)), "read a leased file");
    return read === 0 && buffer.length > 0 ? null : read;
  }

  /** Write there. @returns How many bytes were taken. */
  writeSync(bytes: Uint8Array<ArrayBuffer>): number {
    return checked(libc.write(this.#fd, bytes, BigInt(bytes.length)), "write to a leased file");
  }

  /** Cut the file off. */
  truncateSync(length: number): void {
    checked(libc.ftruncate(this.#fd, BigInt(length)), "shorten a leased file");
  }

  /** How long it is. */
  statSync(): { readonly size: number } {
    const at = this.#seek(0, SEEK_CUR);
    const size = this.#seek(0, SEEK_END);
    this.#seek(at, SEEK_SET);
    return { size };
  }

  /** Close the file and let the others go on. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }

  #seek(offset: number, whence: number): number {
    return checked(libc.lseek(this.#fd, BigInt(offset), whence), "seek in a leased file");
  }
}
