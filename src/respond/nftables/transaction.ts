/**
 * Changes of nf_tables in one step: all of a transaction's requests take effect, or none.
 *
 * The kernel answers inside send(2), so that a commit is over when it returns: some eight microseconds for one element.
 * @module
 */
import { SyscallError } from "../../errors.ts";
import { errnoName } from "../../ffi/errno.ts";
import { NETLINK, NetlinkSocket } from "../../ffi/netlink_socket.ts";
import { NFNL_BATCH, writeBatchHeader, writeInetHeader } from "../../net/nf_tables.ts";
import { errorNumber, NetlinkWriter, NLM_F, NLMSG, readMessages } from "../../net/netlink_message.ts";

/** Of the default send buffer (net.core.wmem_default, 208 KiB) so much is safe to use. */
const DEFAULT_SEND_BYTES = 160 * 1024;
/** For refusals of a whole list of 65536 prefixes, which are all there before the first can be read. */
const RECEIVE_BYTES = 4 * 1024 * 1024;
/** The kernel answers each refused request with one datagram; more than this is no answer. */
const MAX_ANSWERS = 65536;

/** One request of a transaction. */
export interface TransactionRequest {
  /** One of NFT_MSG. */
  readonly type: number;
  /** Bits of NLM_F besides request and acknowledgement. */
  readonly flags: number;
  /** Writes everything after struct nfgenmsg. */
  readonly body: (writer: NetlinkWriter) => void;
}

/** A socket for transactions; opened when it is first needed, and again after a failure. */
export class Transactions implements Disposable {
  readonly #writer = new NetlinkWriter(1 << 16);
  #socket: NetlinkSocket | undefined;
  #sendBytes = DEFAULT_SEND_BYTES;
  #sequence = 0;
  #closed = false;

  /**
   * Carry out these requests, all or none.
   *
   * @param operation For the error message, such as `add to set banned4`.
   * @throws {SyscallError} With the errno of the first request that the kernel refused: ENOENT without the table or
   *   set, ENFILE for a full set, EPERM without CAP_NET_ADMIN.
   */
  commit(operation: string, requests: readonly TransactionRequest[]): void {
    if (this.#closed) throw new SyscallError(operation, "EBADF");
    const first = this.#write(requests);
    let errno = "EPROTO";
    try {
      errno = this.#exchange(first, requests.length);
    } catch (error) {
      this.#drop();
      throw error;
    }
    // After a lost answer another one may still be waiting: begin with a new socket.
    if (errno === "ENODATA" || errno === "ENOBUFS") this.#drop();
    if (errno !== "") throw new SyscallError(operation, errno);
  }

  /** Close the socket. Twice is harmless; a commit afterwards throws. */
  [Symbol.dispose](): void {
    this.#closed = true;
    this.#drop();
  }

  /** @returns The sequence number of the first message. */
  #write(requests: readonly TransactionRequest[]): number {
    const writer = this.#writer;
    const first = this.#sequence + 1;
    const next = (): number => ++this.#sequence;
    writer.reset();
    writer.message(
      { type: NFNL_BATCH.begin, flags: NLM_F.request, sequence: next() },
      () => writeBatchHeader(writer),
    );
    for (const [index, { type, flags, body }] of requests.entries()) {
      // A refusal is answered in any case, and all are carried out or none: one acknowledgement says it for all.
      const asked = index === requests.length - 1 ? NLM_F.request | NLM_F.ack : NLM_F.request;
      writer.message({ type, flags: flags | asked, sequence: next() }, () => {
        writeInetHeader(writer);
        body(writer);
      });
    }
    writer.message(
      { type: NFNL_BATCH.end, flags: NLM_F.request, sequence: next() },
      () => writeBatchHeader(writer),
    );
    this.#sequence %= 2 ** 31;
    return first;
  }

  /** @returns The errno's name; empty when the last request was acknowledged and none refused. */
  #exchange(first: number, count: number): string {
    const socket = this.#socket ??= new NetlinkSocket(NETLINK.netfilter, { receiveBytes: RECEIVE_BYTES });
    const bytes = this.#writer.bytes;
    if (bytes.length > this.#sendBytes) {
      socket.setSendBuffer(bytes.length * 2);
      this.#sendBytes = bytes.length;
    }
    socket.send(bytes);
    let failure = "";
    for (let i = 0; i < MAX_ANSWERS; i++) {
      const received = socket.receive();
      if (received.kind === "overrun") return "ENOBUFS";
      if (received.kind === "empty") break;
      for (const message of readMessages(received.bytes)) {
        const index = message.sequence - first;
        if (message.type !== NLMSG.error || index < 0 || index > count + 1) continue;
        const errno = errorNumber(message.payload);
        if (errno !== 0 && failure === "") failure = errnoName(errno);
        // Answers come in the order of the requests (net/netfilter/nfnetlink.c, nfnl_err_deliver).
        if (index === count) return failure;
      }
    }
    return failure === "" ? "ENODATA" : failure;
  }

  #drop(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
    this.#sendBytes = DEFAULT_SEND_BYTES;
  }
}
