/**
 * errno by name, read at once.
 *
 * Valid only right after a synchronous call on the main thread: a nonblocking call runs on another thread, and
 * anything that allocates in between may call the C library itself.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { libc } from "./libc.ts";

/** Numbers of asm-generic/errno-base.h and errno.h (the same on x86-64 and arm64). */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  27: "EFBIG",
  28: "ENOSPC",
  34: "ERANGE",
  36: "ENAMETOOLONG",
  71: "EPROTO",
  75: "EOVERFLOW",
  88: "ENOTSOCK",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  93: "EPROTONOSUPPORT",
  94: "ESOCKTNOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};

const errnoView = new Deno.UnsafePointerView(errnoPointer());

function errnoPointer(): Deno.PointerObject {
  const pointer = libc.__errno_location();
  if (pointer === null) throw new Error("__errno_location returned NULL");
  return pointer;
}

/** The name of an errno number, such as `EPERM`; `errno 4242` for one without a name here. */
export function errnoName(number: number): string {
  return NAMES[number] ?? `errno ${number}`;
}

/** The name of the errno of the synchronous call just made. */
export function lastErrno(): string {
  return errnoName(errnoView.getInt32());
}

/**
 * The result of a synchronous call, or the error it reported.
 *
 * @param result What the call returned: negative means failure.
 * @param operation What was attempted, for the error, such as `bind packet socket`.
 * @throws {SyscallError} When the result is negative.
 */
export function checked(result: number | bigint, operation: string): number {
  if (result < 0) throw new SyscallError(operation, lastErrno());
  return Number(result);
}
