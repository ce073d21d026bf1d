/**
 * Which ports of the watched host are open, learnt from a whole capture: the stand-in for asking the kernel.
 *
 * A port is open from the first packet to the last: a capture often begins in the middle of a connection, and a service
 * that stopped has its clients in grace.
 *
 * Bounds: three maps of 64 Ki ports for each local address, 192 KiB; the addresses come from the command line. The last
 * questions of 4096 remote sockets, the oldest is forgotten first.
 * @module
 */
import { type Packet, SCTP_CHUNK, TCP_FLAG, type UdpPacket } from "../../decode/packet.ts";
import { type Address, hostKey } from "../../net/address.ts";
import { PORT_COUNT } from "../../net/ports.ts";
import type { Protocol } from "../../net/protocol.ts";
import type { ListedPorts } from "./listed_ports.ts";

/** What was seen of a port; bits. */
const SEEN = {
  /** It answered a SYN with a SYN/ACK. */
  accepted: 1,
  /** It sent anything else that a closed port does not send. */
  talked: 2,
  /** Somebody else's packets only make sense if it is open. */
  implied: 4,
  /** Somebody sent it a datagram. */
  asked: 8,
} as const;

/** The ports below this are services' (RFC 6335, section 6); clients ask from those above. */
const FIRST_CLIENT_PORT = 1024;
const MAX_QUESTIONS = 4096;

type Ported = Exclude<Protocol, "icmp">;
type PortedPacket = Extract<Packet, { readonly kind: Ported }>;

/** What is known of one local address. */
interface LocalHost extends Readonly<Record<Ported, Uint8Array>> {
  /** Whether the capture holds anything that it sent. */
  heard: boolean;
}

/** The local addresses and their open ports. */
export class OpenPorts {
  readonly #hosts: ReadonlyMap<number | string, LocalHost>;
  readonly #listed: ListedPorts;
  /** By both addresses and the remote port: the UDP port of ours that was last asked from there and has not answered. */
  readonly #questions = new Map<string, number>();

  /** Knows nothing yet. */
  constructor(local: readonly Address[], listed: ListedPorts = {}) {
    this.#hosts = new Map(local.map((address) => [hostKey(address), unheard()]));
    this.#listed = listed;
  }

  /** Whether this is an address of the watched host. */
  isLocal(address: Address): boolean {
    return this.#hosts.has(hostKey(address));
  }

  /** Take in a packet, in either direction. */
  learn(packet: Packet): void {
    if (packet.kind === "unknown" || packet.kind === "icmp") return;
    const sender = this.#hosts.get(hostKey(packet.source));
    if (sender !== undefined) {
      sender.heard = true;
      if (packet.kind === "udp") this.#learnAnswer(sender, packet);
      mark(sender[packet.kind], packet.sourcePort, proofOfSender(packet));
      return;
    }
    const receiver = this.#hosts.get(hostKey(packet.dest));
    if (receiver === undefined) return;
    if (packet.kind === "udp") this.#learnQuestion(receiver, packet);
    mark(receiver[packet.kind], packet.destPort, hintToReceiver(packet));
  }

  /** Whether a local port is open. */
  isOpen(dest: Address, protocol: Protocol, port: number): boolean {
    const host = this.#hosts.get(hostKey(dest));
    if (protocol === "icmp" || host === undefined) return false;
    const seen = host[protocol][port] ?? 0;
    const heard = (seen & SEEN.talked) !== 0 || (!host.heard && (seen & SEEN.implied) !== 0);
    if (protocol === "udp") return heard || this.#listed.udp?.has(port) === true;
    if (protocol === "sctp" || this.#listed.tcp === undefined) return heard || (seen & SEEN.accepted) !== 0;
    // Whoever never accepted anything but talks is the client side of a connection, which no list of services names.
    return this.#listed.tcp.has(port) || (heard && (seen & SEEN.accepted) === 0);
  }

  #learnQuestion(host: LocalHost, packet: UdpPacket): void {
    const seen = host.udp[packet.destPort] ?? 0;
    host.udp[packet.destPort] = seen | SEEN.asked;
    if ((seen & SEEN.talked) !== 0) return;
    const key = questionKey(packet.dest, packet.source, packet.sourcePort);
    this.#questions.delete(key);
    for (const oldest of this.#questions.keys()) {
      if (this.#questions.size < MAX_QUESTIONS) break;
      this.#questions.delete(oldest);
    }
    this.#questions.set(key, packet.destPort);
  }

  /** TFTP answers from a new port (RFC 1350, section 4): whoever nobody asked answers in another one's place. */
  #learnAnswer(host: LocalHost, packet: UdpPacket): void {
    const seen = host.udp[packet.sourcePort] ?? 0;
    if ((seen & (SEEN.talked | SEEN.asked)) !== 0) return;
    const asked = this.#questions.get(questionKey(packet.source, packet.dest, packet.destPort));
    if (asked !== undefined) mark(host.udp, asked, SEEN.talked);
  }
}

function questionKey(local: Address, remote: Address, remotePort: number): string {
  return `${hostKey(local)} ${hostKey(remote)} ${remotePort}`;
}

/** What a packet of our own says about the port that it came from. */
function proofOfSender(packet: PortedPacket): number {
  switch (packet.kind) {
    case "udp":
      return SEEN.talked;
    case "sctp":
      // A closed port answers with ABORT alone (RFC 9260, section 8.4).
      return packet.chunkType === SCTP_CHUNK.abort ? 0 : SEEN.talked;
    case "tcp": {
      const flags = packet.flags ?? TCP_FLAG.rst;
      if ((flags & TCP_FLAG.rst) !== 0) return 0;
      const both = TCP_FLAG.syn | TCP_FLAG.ack;
      return (flags & both) === both ? SEEN.accepted : SEEN.talked;
    }
  }
}

/**
 * What a packet to us says about the port that it is for. Believed only when the capture holds not one packet of that
 * address of ours (asymmetric routing, a capture of one direction): otherwise silence is an answer.
 */
function hintToReceiver(packet: PortedPacket): number {
  const isAnswer = packet.sourcePort < FIRST_CLIENT_PORT && packet.destPort >= FIRST_CLIENT_PORT;
  if (packet.kind === "udp") return isAnswer ? SEEN.implied : 0;
  if (packet.kind !== "tcp" || packet.flags === undefined) return 0;
  const { syn, ack, rst } = TCP_FLAG;
  const flags = packet.flags & (syn | ack | rst);
  if (flags === (syn | ack)) return SEEN.implied;
  return flags === ack && (packet.payloadBytes > 0 || isAnswer) ? SEEN.implied : 0;
}

function mark(ports: Uint8Array, port: number, proof: number): void {
  if (proof !== 0) ports[port] = (ports[port] ?? 0) | proof;
}

function unheard(): LocalHost {
  return {
    tcp: new Uint8Array(PORT_COUNT),
    udp: new Uint8Array(PORT_COUNT),
    sctp: new Uint8Array(PORT_COUNT),
    heard: false,
  };
}
