/**
 * One NFLOG group, bound to a netlink socket of its own, so that a flood in one does not drown another.
 * @module
 */
import { EXIT, SyscallError, UserError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { NETLINK, NetlinkSocket } from "../ffi/netlink_socket.ts";
import { errorNumber, NetlinkWriter, NLMSG, readMessages } from "../net/netlink_message.ts";
import type { Frame } from "./frame.ts";
import {
  type Gathering,
  readLoggedPackets,
  SPARE_NFLOG_GROUP,
  writeBind,
  writeGathering,
  writeGroupOptions,
  writeUnbind,
} from "./nflog.ts";

/**
 * A whole Ethernet packet: an IPv6 extension header may fill one, and what is behind it must be seen. Probes are short,
 * so that this costs nothing for them.
 */
const COPY_BYTES = 1536;
/** What the kernel gathers into at most; also how much it sets aside for each datagram before it trims it. */
const DATAGRAM_BYTES = 16_384;
/** Some 20,000 packets that wait one by one, more when they are gathered. Memory that is only used when it is full. */
const RECEIVE_BYTES = 8 << 20;
/** Packets that may stand before the kernel's answer to a request; more than this is no answer. */
const MAX_BEFORE_ANSWER = 1000;
const SEQUENCE_MODULUS = 2 ** 32;

/** A bound group. Disposing it gives it up; twice is harmless. */
export class LogGroup implements Disposable {
  readonly #group: number;
  readonly #socket: NetlinkSocket;
  readonly #writer = new NetlinkWriter(256);
  #requests = 0;
  /** The number that the next packet must have when none is lost; a new group counts from 0. */
  #next = 0;
  #lost = 0;

  /**
   * Bind the group.
   *
   * @throws {UserError} With exit code 77 when the process may not, and 69 when another program has the group.
   */
  constructor(group: number, gathering: Gathering) {
    this.#group = group;
    this.#socket = openSocket();
    using opened = new DisposableStack();
    opened.use(this.#socket);
    this.#bind();
    const options = { copyBytes: COPY_BYTES, bufferBytes: DATAGRAM_BYTES };
    this.#request("set up", (sequence) => writeGroupOptions(this.#writer, { group, sequence }, options));
    this.#request("set up", (sequence) => writeGathering(this.#writer, { group, sequence }, gathering));
    opened.move();
  }

  /** The descriptor, for a {@link Poller}. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** Packets that the kernel logged and we did not get; those behind the last one that came are not known yet. */
  get lost(): number {
    return this.#lost;
  }

  /** Gather packets in this way from now on. The kernel's answer is not waited for. */
  gather(gathering: Gathering): void {
    this.#writer.reset();
    writeGathering(this.#writer, { group: this.#group, sequence: this.#nextRequest() }, gathering);
    this.#socket.send(this.#writer.bytes);
  }

  /**
   * Take packets until nothing is waiting, at most about `max` of them: a datagram is taken whole.
   *
   * @param now Seconds since the epoch, for packets that the kernel has put no time on.
   * @returns How many there were.
   */
  drain(max: number, now: number, visit: (frame: Frame) => void): number {
    let taken = 0;
    while (taken < max) {
      const received = this.#socket.receive();
      if (received.kind === "empty") break;
      // What was dropped shows in the number of the next packet.
      if (received.kind === "overrun") continue;
      readLoggedPackets(received.bytes, { copyBytes: COPY_BYTES, now }, (frame, sequence) => {
        taken++;
        this.#count(sequence);
        visit(frame);
      });
    }
    return taken;
  }

  /** Give the group up. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** The kernel numbers what it logs; a gap is what it had to drop. */
  #count(sequence: number): void {
    if (sequence < 0) return;
    this.#lost += (sequence - this.#next + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
    this.#next = (sequence + 1) % SEQUENCE_MODULUS;
  }

  #bind(): void {
    try {
      this.#request("bind", (sequence) => writeBind(this.#writer, this.#group, sequence));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      throw this.#refusal(error);
    }
  }

  /** EPERM says either that the group is somebody else's, or that we may bind none; another group tells which. */
  #refusal(error: SyscallError): UserError {
    const attempt = `Cannot bind NFLOG group ${this.#group}`;
    if (error.code !== "EPERM" && error.code !== "EBUSY") {
      return new UserError(`${attempt}: the kernel answered ${error.code}; it may lack nfnetlink_log`, {
        cause: error,
      });
    }
    if (error.code === "EBUSY" || this.#mayBind()) {
      return new UserError(`${attempt}: another program has it, perhaps another portsnare`, { cause: error });
    }
    return new UserError(`${attempt}: this needs root or CAP_NET_ADMIN`, {
      exitCode: EXIT.permission,
      cause: error,
    });
  }

  #mayBind(): boolean {
    try {
      this.#request("try", (sequence) => writeBind(this.#writer, SPARE_NFLOG_GROUP, sequence));
      this.#request("try", (sequence) => writeUnbind(this.#writer, SPARE_NFLOG_GROUP, sequence));
      return true;
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** Send a request and wait for the kernel's answer, which is there when send(2) returns. */
  #request(verb: string, write: (sequence: number) => void): void {
    const sequence = this.#nextRequest();
    this.#writer.reset();
    write(sequence);
    this.#socket.send(this.#writer.bytes);
    for (let i = 0; i < MAX_BEFORE_ANSWER; i++) {
      const received = this.#socket.receive();
      if (received.kind === "empty") break;
      if (received.kind === "overrun") continue;
      for (const message of readMessages(received.bytes)) {
        if (message.type !== NLMSG.error || message.sequence !== sequence) continue;
        const errno = errorNumber(message.payload);
        if (errno === 0) return;
        throw new SyscallError(`${verb} NFLOG group ${this.#group}`, errnoName(errno));
      }
    }
    throw new SyscallError(`${verb} NFLOG group ${this.#group}`, "ENODATA");
  }

  #nextRequest(): number {
    this.#requests = (this.#requests + 1) % 2 ** 31;
    return this.#requests;
  }
}

function openSocket(): NetlinkSocket {
  try {
    return new NetlinkSocket(NETLINK.netfilter, { receiveBytes: RECEIVE_BYTES, bufferBytes: 1 << 16 });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new UserError(`Cannot open a netfilter socket: the kernel answered ${error.code}`, {
      cause: error,
    });
  }
}
