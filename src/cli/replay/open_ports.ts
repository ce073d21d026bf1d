/**
 * Which ports of the watched host are open, learnt from a whole capture: the stand-in for asking the kernel.
 *
 * A port is open from the first packet to the last: a capture often begins in the middle of a connection, and a service
 * that stopped has its clients in grace.
 *
 * Bound: three maps of 64 Ki ports for each local address that speaks, 192 KiB; the addresses come from the command
 * line.
 * @module
 */
import { type Packet, SCTP_CHUNK, TCP_FLAG } from "../../decode/packet.ts";
import { type Address, hostKey } from "../../net/address.ts";
import { PORT_COUNT, type PortSet } from "../../net/ports.ts";
import type { Protocol } from "../../net/protocol.ts";

/** What was seen of a port; bits. */
const SEEN = {
  /** It answered a SYN with a SYN/ACK. */
  accepted: 1,
  /** It sent anything else that a closed port does not send. */
  talked: 2,
  /** Somebody else's packets only make sense if it is open. */
  implied: 4,
} as const;

type Ported = Exclude<Protocol, "icmp">;
type PortedPacket = Extract<Packet, { readonly kind: Ported }>;
type PortMaps = Readonly<Record<Ported, Uint8Array>>;

/** The local addresses and their open ports. */
export class OpenPorts {
  readonly #hosts: ReadonlyMap<number | string, PortMaps>;
  readonly #listed: PortSet | undefined;
  #heardLocal = false;

  /** Knows nothing yet. `listed`: what the user says is open for TCP; then a SYN/ACK makes no port open. */
  constructor(local: readonly Address[], listed?: PortSet) {
    this.#hosts = new Map(local.map((address) => [hostKey(address), emptyMaps()]));
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
      this.#heardLocal = true;
      mark(sender[packet.kind], packet.sourcePort, proofOfSender(packet));
      return;
    }
    const receiver = this.#hosts.get(hostKey(packet.dest));
    if (receiver !== undefined) mark(receiver[packet.kind], packet.destPort, hintToReceiver(packet));
  }

  /** Whether a local port is open. */
  isOpen(dest: Address, protocol: Protocol, port: number): boolean {
    if (protocol === "icmp") return false;
    const seen = this.#hosts.get(hostKey(dest))?.[protocol][port] ?? 0;
    const heard = (seen & SEEN.talked) !== 0 || (!this.#heardLocal && (seen & SEEN.implied) !== 0);
    if (protocol !== "tcp" || this.#listed === undefined) return heard || (seen & SEEN.accepted) !== 0;
    // Whoever never accepted anything but talks is the client side of a connection, which no list of services names.
    return this.#listed.has(port) || (heard && (seen & SEEN.accepted) === 0);
  }
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
 * What a packet to us says about the port that it is for. Believed only when the capture holds not one packet of ours
 * (asymmetric routing, a capture of one direction): otherwise silence is an answer.
 */
function hintToReceiver(packet: PortedPacket): number {
  if (packet.kind !== "tcp" || packet.flags === undefined) return 0;
  const { syn, ack, rst } = TCP_FLAG;
  const flags = packet.flags & (syn | ack | rst);
  if (flags === (syn | ack)) return SEEN.implied;
  return flags === ack && packet.payloadBytes > 0 ? SEEN.implied : 0;
}

function mark(ports: Uint8Array, port: number, proof: number): void {
  if (proof !== 0) ports[port] = (ports[port] ?? 0) | proof;
}

function emptyMaps(): PortMaps {
  return {
    tcp: new Uint8Array(PORT_COUNT),
    udp: new Uint8Array(PORT_COUNT),
    sctp: new Uint8Array(PORT_COUNT),
  };
}
