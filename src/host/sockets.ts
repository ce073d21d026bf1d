/**
 * The sockets of this host, asked of the kernel at the moment they matter (sock_diag(7)): who would receive this
 * packet, which ports wait for packets, who is logged in.
 * @module
 */
import { SyscallError } from "../errors.ts";
import { NETLINK } from "../ffi/netlink_socket.ts";
import { type Address, addressKey, familyOf, isLoopback } from "../net/address.ts";
import {
  type IncomingPacket,
  type Listener,
  SOCKET_PROTOCOLS,
  type SocketProtocol,
} from "../net/listener.ts";
import { PortSet } from "../net/ports.ts";
import { readSmallFile } from "../system/proc.ts";
import {
  type DiagSocket,
  listRequest,
  lookupRequest,
  MAX_FILTER_RANGES,
  portFilter,
  readBytesReceived,
  readLocalAddresses,
  readSocket,
  REQUEST_BYTECODE,
  SOCK_DIAG_BY_FAMILY,
  SOCKET_STATE,
  TCPDIAG_GETSOCK,
  tcpListRequest,
} from "./inet_diag.ts";
import { type DumpEnd, NetlinkExchange } from "./netlink_exchange.ts";
import { parseSctpEndpoints, sctpListener } from "./sctp_endpoints.ts";
import { Unanswered } from "./unanswered.ts";

/** Listeners beyond this are not told apart any more; {@link SocketTable.owns} still finds each of them. */
const MAX_LISTENERS = 16384;
/** Peers of sessions beyond this are not remembered. */
const MAX_PEERS = 4096;
/** Interfaces other than loopback that sockets are bound to, each of which costs a lookup of its own. */
const MAX_INTERFACES = 8;
/** The loopback interface has this index in every network namespace (net/core/dev.c, LOOPBACK_IFINDEX). */
const LOOPBACK_INTERFACE = 1;
/** How often an interrupted dump is begun again. */
const ATTEMPTS = 3;

/** The socket tables of the network namespace in which this was made. */
export class SocketTable implements Disposable {
  /** What {@link SocketTable.owns} could not learn, even at the second attempt. */
  readonly unanswered: Unanswered = new Unanswered(
    "which ports services own",
    "probes of those it was asked about were passed over",
  );
  readonly #exchange = new NetlinkExchange(NETLINK.sockDiag);
  /** Interfaces that sockets were bound to at the last dump: a lookup for "any interface" does not find those sockets. */
  #interfaces: readonly number[] = [];

  /**
   * Whether a socket of this host would receive this packet at this moment: a connection it belongs to, or a listener
   * whose address and port it is for.
   *
   * When the kernel cannot be asked the answer is yes: a scan overlooked costs less than a customer banned.
   */
  owns(packet: IncomingPacket): boolean {
    if (familyOf(packet.dest) !== familyOf(packet.source)) return false;
    try {
      if (packet.protocol === "sctp") return this.#ownsSctp(packet);
      return [0, ...this.#interfaces].some((index) => this.#find(packet, index));
    } catch (error) {
      this.unanswered.add(error);
      return true;
    }
  }

  /**
   * Every port that waits for packets, each address of it once, at most 16,384.
   *
   * @throws {SyscallError} When the kernel does not answer.
   */
  listeners(): readonly Listener[] {
    const found = new Map<string, Listener>();
    const interfaces = new Set<number>();
    for (const protocol of SOCKET_PROTOCOLS) {
      for (const listener of this.#listenersOf(protocol, interfaces)) {
        if (found.size >= MAX_LISTENERS) break;
        found.set(listenerKey(listener), listener);
      }
    }
    this.#interfaces = [...interfaces].slice(0, MAX_INTERFACES);
    return [...found.values()];
  }

  /**
   * The other ends of the TCP sessions on these local ports, each once, at most 4,096. Only a peer that has sent
   * something has a session: a scanner that connects and hangs up (nmap -sT) has none.
   *
   * @throws {SyscallError} When the kernel does not answer.
   */
  sessionPeers(ports: PortSet): readonly Address[] {
    const peers = new Map<string, Address>();
    const ranges = ports.ranges();
    if (ranges.length === 0) return [];
    const filter = ranges.length <= MAX_FILTER_RANGES ? portFilter(ranges) : undefined;
    const request = tcpListRequest(SOCKET_STATE.established);
    this.#list({ protocol: "tcp", type: TCPDIAG_GETSOCK, request, filter }, (socket, payload) => {
      if (socket.remote === undefined || !ports.has(socket.localPort)) return true;
      if (readBytesReceived(payload) === 0n) return true;
      peers.set(addressKey(socket.remote), socket.remote);
      return peers.size < MAX_PEERS;
    });
    return [...peers.values()];
  }

  /** Close the socket to the kernel. Twice is harmless. */
  [Symbol.dispose](): void {
    this.#exchange[Symbol.dispose]();
  }

  #find(packet: IncomingPacket, interfaceIndex: number): boolean {
    const request = lookupRequest(packet, interfaceIndex);
    const answer = this.#twice(() =>
      this.#exchange.ask({
        operation: "look up socket",
        type: SOCK_DIAG_BY_FAMILY,
        body: (writer) => writer.raw(request),
      })
    );
    return answer !== undefined && readSocket(answer)?.localPort === packet.port;
  }

  /** sctp_diag looks up associations only, so the endpoints are asked for as a list. */
  #ownsSctp(packet: IncomingPacket): boolean {
    return this.#listenersOf("sctp", new Set()).some((listener) =>
      listener.port === packet.port &&
      (listener.address === undefined || addressKey(listener.address) === addressKey(packet.dest))
    );
  }

  #listenersOf(protocol: SocketProtocol, interfaces: Set<number>): readonly Listener[] {
    const listeners: Listener[] = [];
    const state = protocol === "udp" ? SOCKET_STATE.closed : SOCKET_STATE.listen;
    try {
      for (const family of [4, 6] as const) {
        const request = listRequest(protocol, { family, state });
        this.#list({ protocol, type: SOCK_DIAG_BY_FAMILY, request }, (socket, payload) => {
          if (socket.interface > LOOPBACK_INTERFACE) interfaces.add(socket.interface);
          listeners.push(...listenersFrom(socket, { protocol, payload }));
          return listeners.length < MAX_LISTENERS;
        });
      }
    } catch (error) {
      if (protocol !== "sctp" || !(error instanceof SyscallError)) throw error;
      // The kernel has no SCTP, or no sock_diag for it: ENOENT, or EINVAL before Linux 5.
      return parseSctpEndpoints(readSmallFile("/proc/thread-self/net/sctp/eps") ?? "");
    }
    return listeners;
  }

  /** Visit all sockets of one kind; once more from the start when the list changed under the dump. */
  #list(
    question: {
      readonly protocol: SocketProtocol;
      readonly type: number;
      readonly request: Uint8Array;
      readonly filter?: Uint8Array | undefined;
    },
    visit: (socket: DiagSocket, payload: Uint8Array<ArrayBuffer>) => boolean,
  ): void {
    const { protocol, type, request, filter } = question;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const end = this.#twice((): DumpEnd =>
        this.#exchange.dump(
          {
            operation: `list ${protocol} sockets`,
            type,
            body: (writer) => {
              writer.raw(request);
              if (filter !== undefined) writer.attribute(REQUEST_BYTECODE, filter);
            },
          },
          (message) => {
            if (message.type !== type) return true;
            const socket = readSocket(message.payload);
            return socket === undefined || visit(socket, message.payload);
          },
        )
      );
      if (end !== "interrupted") return;
    }
  }

  /** An answer that was lost is asked for once more, on a fresh socket; a refusal would only be repeated. */
  #twice<T>(exchange: () => T): T {
    try {
      return exchange();
    } catch (error) {
      if (!(error instanceof SyscallError) || !["ENODATA", "ENOBUFS", "EPROTO"].includes(error.code)) {
        throw error;
      }
      return exchange();
    }
  }
}

function listenersFrom(
  socket: DiagSocket,
  source: { readonly protocol: SocketProtocol; readonly payload: Uint8Array<ArrayBuffer> },
): readonly Listener[] {
  const { protocol, payload } = source;
  if (socket.localPort === 0) return [];
  if (protocol === "sctp") {
    const addresses = readLocalAddresses(payload);
    if (addresses.length > 0) return addresses.map((address) => sctpListener(socket.localPort, address));
  }
  const loopback = socket.interface === LOOPBACK_INTERFACE ||
    (socket.local !== undefined && isLoopback(socket.local));
  return [{ protocol, address: socket.local, port: socket.localPort, loopback }];
}

function listenerKey({ protocol, address, port, loopback }: Listener): string {
  return `${protocol} ${address === undefined ? "*" : addressKey(address)} ${port} ${loopback ? "lo" : ""}`;
}
