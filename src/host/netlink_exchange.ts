/**
 * Questions to the kernel over netlink, answered before the call returns.
 *
 * The families asked here (sock_diag, ctnetlink, rtnetlink) answer inside send(2), and go on with a dump inside each
 * recv(2); therefore an empty socket means a lost answer, never one that is still to come. A process that may not
 * administer the network cannot send to our socket (netlink(7)), so whatever arrives is the kernel's.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { errnoName } from "../ffi/errno.ts";
import { NetlinkSocket } from "../ffi/netlink_socket.ts";
import {
  errorNumber,
  type NetlinkMessage,
  NetlinkWriter,
  NLM_F,
  NLMSG,
  readMessages,
} from "../net/netlink_message.ts";

/** More datagrams than any dump we ask for needs; beyond it the answer is given up. */
const MAX_DATAGRAMS = 65536;
/** Stale messages of an exchange that was given up may stand before an answer; more than this is no answer. */
const MAX_STALE = 64;

/** What is asked. */
export interface Question {
  /** For error messages, such as `look up socket`. */
  readonly operation: string;
  /** The message type. */
  readonly type: number;
  /** Writes everything after the message header. */
  readonly body: (writer: NetlinkWriter) => void;
}

/** How a dump ended. */
export type DumpEnd =
  /** Everything was seen. */
  | "complete"
  /** The kernel says that the list changed under way: entries may be missing. */
  | "interrupted"
  /** The visitor had enough. */
  | "stopped";

/** A netlink socket for questions, opened again by itself after it failed. */
export class NetlinkExchange implements Disposable {
  readonly #family: number;
  readonly #writer = new NetlinkWriter(512);
  #socket: NetlinkSocket | undefined;
  #sequence = 0;
  #closed = false;

  /**
   * Open a socket.
   *
   * @param family The netlink family.
   * @throws {SyscallError} When the kernel does not have it.
   */
  constructor(family: number) {
    this.#family = family;
    this.#socket = new NetlinkSocket(family, { bufferBytes: 1 << 16 });
  }

  /**
   * Ask for one thing.
   *
   * @returns The answer's payload, borrowed until the next call; `undefined` when the kernel knows no such thing (ENOENT).
   * @throws {SyscallError} When the kernel refuses or the answer is lost.
   */
  ask(question: Question): Uint8Array<ArrayBuffer> | undefined {
    return this.#guarded(() => {
      this.#send(question, NLM_F.request);
      for (let i = 0; i < MAX_STALE; i++) {
        for (const message of this.#answers(question)) {
          if (message.type !== NLMSG.error) return message.payload;
          const errno = errnoName(errorNumber(message.payload));
          if (errno === "ENOENT") return undefined;
          throw new Refusal(question.operation, errno);
        }
      }
      throw new SyscallError(question.operation, "EPROTO");
    });
  }

  /**
   * Ask for a list.
   *
   * @param question What is asked.
   * @param visit Called for each entry, whose payload is borrowed until it returns; `false` ends the dump.
   * @throws {SyscallError} When the kernel refuses or drops part of the answer; then some entries may have been visited.
   */
  dump(question: Question, visit: (message: NetlinkMessage) => boolean | void): DumpEnd {
    return this.#guarded(() => {
      this.#send(question, NLM_F.request | NLM_F.dump);
      let interrupted = false;
      for (let i = 0; i < MAX_DATAGRAMS; i++) {
        for (const message of this.#answers(question)) {
          if ((message.flags & NLM_F.dumpInterrupted) !== 0) interrupted = true;
          if (message.type === NLMSG.done || message.type === NLMSG.error) {
            const errno = errorNumber(message.payload);
            if (errno > 0) throw new Refusal(question.operation, errnoName(errno));
            return interrupted ? "interrupted" : "complete";
          }
          if (visit(message) === false) {
            this.#drop();
            return "stopped";
          }
        }
      }
      throw new SyscallError(question.operation, "E2BIG");
    });
  }

  /** Close the socket. Twice is harmless; a question afterwards throws. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#drop();
  }

  #send(question: Question, flags: number): void {
    if (this.#closed) throw new SyscallError(question.operation, "EBADF");
    this.#socket ??= new NetlinkSocket(this.#family, { bufferBytes: 1 << 16 });
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#writer.reset();
    this.#writer.message(
      { type: question.type, flags, sequence: this.#sequence },
      () => question.body(this.#writer),
    );
    this.#socket.send(this.#writer.bytes);
  }

  /** The messages of the next datagram that answer the question under way. */
  *#answers(question: Question): Iterable<NetlinkMessage> {
    const received = this.#socket?.receive() ?? { kind: "empty" };
    if (received.kind !== "data") {
      throw new SyscallError(question.operation, received.kind === "empty" ? "ENODATA" : "ENOBUFS");
    }
    for (const message of readMessages(received.bytes)) {
      if (message.sequence === this.#sequence && message.type !== NLMSG.noop) yield message;
    }
  }

  /** After anything but a plain refusal, half an answer may be waiting in the socket: begin with a new one. */
  #guarded<T>(exchange: () => T): T {
    try {
      return exchange();
    } catch (error) {
      if (!(error instanceof Refusal)) this.#drop();
      throw error;
    }
  }

  #drop(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }
}

/** The kernel's own "no": the socket is as good as before. */
class Refusal extends SyscallError {}
