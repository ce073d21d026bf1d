/**
 * A UDP port that takes what anybody sends to this host, to see who does.
 *
 * Broadcast and multicast are dropped by a filter in the kernel: a wildcard socket gets them too, and they are no
 * evidence against their sender.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { type Address, addressFromBytes } from "../net/address.ts";
import { ANCILLARY, BPF, BpfAssembler, type BpfProgram, PACKET_TYPE } from "../net/bpf.ts";
import { bindEverywhere, type BoundSocket, setOption } from "./bound_socket.ts";
import { lastErrno } from "./errno.ts";
import { libc } from "./libc.ts";
import { AF, readSocketAddress, SOCKET_ADDRESS_BYTES } from "./socket_address.ts";
import { attachFilter } from "./socket_filter.ts";

const SOL_SOCKET = 1;
const SO_RXQ_OVFL = 40;
const SOL_IP = 0;
const IP_PKTINFO = 8;
const SOL_IPV6 = 41;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
/** With this the real length of a datagram is reported, however little room there was. */
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** struct msghdr (bits/socket.h) on 64 bits: name @0, namelen @8, iov @16, iovlen @24, control @32, controllen @40. */
const MSGHDR_BYTES = 56;
/** struct cmsghdr: u64 len (itself included) @0, i32 level @8, i32 type @12; then the data; aligned to 8. */
const CMSGHDR_BYTES = 16;
const CONTROL_BYTES = 128;

/** One datagram; its contents are not read. */
export interface Datagram {
  /** Who claims to have sent it. */
  readonly source: Address;
  /** Which of our addresses it was sent to. */
  readonly dest: Address;
  /** How many bytes of payload it had. */
  readonly length: number;
}

/** A bound socket on one port. */
export class UdpTrap implements Disposable {
  /** The descriptor, for a poller. */
  readonly fd: number;
  /** The port it is bound to. */
  readonly port: number;
  readonly #name = new Uint8Array(SOCKET_ADDRESS_BYTES);
  readonly #control = new Uint8Array(CONTROL_BYTES);
  readonly #payload = new Uint8Array(1);
  readonly #iovec: Uint8Array<ArrayBuffer>;
  readonly #header = new Uint8Array(MSGHDR_BYTES);
  #lost = 0;
  #closed = false;

  /**
   * Takes datagrams from now on.
   *
   * @throws {SyscallError} EADDRINUSE when a service has the port.
   */
  constructor(port: number) {
    this.fd = bindEverywhere({ protocol: "udp", port, prepare }).fd;
    this.port = port;
    this.#iovec = bytesOfWords([pointerTo(this.#payload), BigInt(this.#payload.length)]);
  }

  /** Datagrams that found no room, as of the last one received. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Take one datagram.
   *
   * @returns `undefined` when none is waiting.
   * @throws {SyscallError} On anything else.
   */
  receive(): Datagram | undefined {
    this.#prepare();
    const length = libc.recvmsg(this.fd, this.#header, MSG_TRUNC | MSG_DONTWAIT_NOSIGNAL);
    if (length < 0n) {
      const code = lastErrno();
      if (code === "EAGAIN" || code === "EINTR") return undefined;
      throw new SyscallError(`receive on udp port ${this.port}`, code);
    }
    const view = new DataView(this.#header.buffer);
    const from = readSocketAddress(this.#name.subarray(0, view.getUint32(8, true)));
    const dest = this.#readControl(Number(view.getBigUint64(40, true)));
    if (from === undefined || dest === undefined) return undefined;
    return { source: from.address, dest, length: Number(length) };
  }

  /** Answer the sender of the last datagram, as far as that is possible at once. */
  answer(bytes: Uint8Array<ArrayBuffer>): void {
    const length = new DataView(this.#header.buffer).getUint32(8, true);
    libc.sendto(this.fd, bytes, BigInt(bytes.length), MSG_DONTWAIT_NOSIGNAL, this.#name, length);
  }

  /** Close. Twice is harmless. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc.close(this.fd);
  }

  #prepare(): void {
    this.#header.set(bytesOfWords([
      pointerTo(this.#name),
      BigInt(this.#name.length),
      pointerTo(this.#iovec),
      1n,
      pointerTo(this.#control),
      BigInt(this.#control.length),
      0n,
    ]));
  }

  /** The destination, and on the way the counter of lost datagrams. */
  #readControl(end: number): Address | undefined {
    const view = new DataView(this.#control.buffer);
    let dest: Address | undefined;
    for (let at = 0; at + CMSGHDR_BYTES <= end;) {
      const length = Number(view.getBigUint64(at, true));
      if (length < CMSGHDR_BYTES || at + length > end) break;
      const level = view.getInt32(at + 8, true);
      const type = view.getInt32(at + 12, true);
      const data = at + CMSGHDR_BYTES;
      if (level === SOL_SOCKET && type === SO_RXQ_OVFL) this.#lost = view.getUint32(data, true);
      // struct in6_pktinfo begins with the address; struct in_pktinfo has it as its third word.
      if (level === SOL_IPV6 && type === IPV6_PKTINFO) dest = addressFromBytes(this.#control, data, 6);
      if (level === SOL_IP && type === IP_PKTINFO) dest = addressFromBytes(this.#control, data + 8, 4);
      at += (length + 7) & ~7;
    }
    return dest;
  }
}

function prepare({ fd, family }: BoundSocket): void {
  attachFilter(fd, onlyUnicast());
  const inet6 = family === AF.inet6;
  setOption(fd, {
    level: inet6 ? SOL_IPV6 : SOL_IP,
    name: inet6 ? IPV6_RECVPKTINFO : IP_PKTINFO,
    value: 1,
    operation: "ask for destination addresses",
  });
  setOption(fd, { level: SOL_SOCKET, name: SO_RXQ_OVFL, value: 1, operation: "ask for lost datagrams" });
}

function onlyUnicast(): BpfProgram {
  const asm = new BpfAssembler();
  const drop = asm.label();
  asm.op(BPF.ld, ANCILLARY.packetType);
  asm.test(BPF.jeq, PACKET_TYPE.host, { else: drop });
  asm.ret(0xffff);
  asm.place(drop);
  asm.ret(0);
  return asm.assemble();
}

function bytesOfWords(words: readonly bigint[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

function pointerTo(bytes: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}
