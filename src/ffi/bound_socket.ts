/**
 * A socket bound to one port on every address of this host, of both families.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";
import { AF, anyAddress } from "./socket_address.ts";

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC_NONBLOCK = 0x80000 | 0x800;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** What waits unread in a trap is never read; a thousand traps must not let strangers fill memory with it. */
const RECEIVE_BYTES = 16384;
const RLIMIT_NOFILE = 7;

/** A descriptor, and the family it was opened in: IPv6 where there is IPv6, which then also serves IPv4. */
export interface BoundSocket {
  /** The caller's to close. */
  readonly fd: number;
  /** One of {@link AF}. */
  readonly family: number;
}

/** What a socket is to be. */
export interface BindSpec {
  /** Stream or datagram. */
  readonly protocol: "tcp" | "udp";
  /** Not 0, which would mean any free port. */
  readonly port: number;
  /** Called before the socket is bound, that is before anything can arrive at it. */
  readonly prepare?: (socket: BoundSocket) => void;
}

/**
 * Open and bind a socket.
 *
 * @throws {SyscallError} EADDRINUSE when anybody has the port, be it on one address only.
 */
export function bindEverywhere(spec: BindSpec): BoundSocket {
  try {
    return bindFamily(AF.inet6, spec);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.code !== "EAFNOSUPPORT") throw error;
    return bindFamily(AF.inet, spec);
  }
}

/** Set an integer option. */
export function setOption(
  fd: number,
  option: {
    readonly level: number;
    readonly name: number;
    readonly value: number;
    readonly operation: string;
  },
): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, option.value, true);
  checked(libc.setsockopt(fd, option.level, option.name, bytes, bytes.length), option.operation);
}

/** How many descriptors this process may have open (RLIMIT_NOFILE, soft limit). */
export function descriptorLimit(): number {
  // struct rlimit (bits/resource.h): u64 rlim_cur @0, u64 rlim_max @8; all ones mean no limit.
  const bytes = new Uint8Array(16);
  checked(libc.getrlimit(RLIMIT_NOFILE, bytes), "read RLIMIT_NOFILE");
  return Number(new DataView(bytes.buffer).getBigUint64(0, true));
}

function bindFamily(family: number, spec: BindSpec): BoundSocket {
  const type = (spec.protocol === "tcp" ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC_NONBLOCK;
  const fd = checked(libc.socket(family, type, 0), `open ${spec.protocol} socket`);
  try {
    if (family === AF.inet6) {
      setOption(fd, { level: SOL_IPV6, name: IPV6_V6ONLY, value: 0, operation: "serve IPv4 as well" });
    }
    // For UDP this would let somebody else take the port from us.
    if (spec.protocol === "tcp") {
      setOption(fd, { level: SOL_SOCKET, name: SO_REUSEADDR, value: 1, operation: "reuse port" });
    }
    setOption(fd, {
      level: SOL_SOCKET,
      name: SO_RCVBUF,
      value: RECEIVE_BYTES,
      operation: "size receive buffer",
    });
    spec.prepare?.({ fd, family });
    const address = anyAddress(family, spec.port);
    checked(libc.bind(fd, address, address.length), `bind ${spec.protocol} port ${spec.port}`);
    return { fd, family };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
