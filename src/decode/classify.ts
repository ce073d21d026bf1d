/**
 * Stage "understand", second half: a {@link Packet} becomes a {@link Probe}, or it is none.
 *
 * What cannot be told apart on the wire gets the commoner name: a connect scan is `syn`, a window scan is `ack`.
 * @module
 */
import { familyOf } from "../net/address.ts";
import { ICMP_REQUESTS } from "../net/protocol.ts";
import { type Packet, SCTP_CHUNK, TCP_FLAG, type TcpPacket, type UnknownReason } from "./packet.ts";
import type { Probe, ScanType } from "./probe.ts";

/** Why a packet that was understood asks nothing of this host. */
export const NOT_PROBE_REASONS = [
  /** A SYN/ACK: the answer to a SYN, or backscatter of somebody else's flood. */
  "syn-ack",
  /** A RST, whatever else is set: it ends something or answers something. */
  "reset",
  /** An SCTP packet that does not open an association. */
  "sctp-not-init",
  /** An ICMP message that is no request. */
  "icmp-not-request",
] as const;

/** Why a packet is no probe. */
export type NotProbeReason = UnknownReason | (typeof NOT_PROBE_REASONS)[number];

/** What a packet is to a port-scan detector. */
export type Classified =
  | { readonly kind: "probe"; readonly probe: Probe }
  | { readonly kind: "none"; readonly reason: NotProbeReason };

const SYN_ACK: Classified = { kind: "none", reason: "syn-ack" };
const RESET: Classified = { kind: "none", reason: "reset" };
const SCTP_NOT_INIT: Classified = { kind: "none", reason: "sctp-not-init" };
const ICMP_NOT_REQUEST: Classified = { kind: "none", reason: "icmp-not-request" };

const { fin: FIN, syn: SYN, rst: RST, psh: PSH, ack: ACK, urg: URG } = TCP_FLAG;
/** ECN (RFC 3168) sets the two bits above in honest packets; PortSentry ignores them too. */
const CLASSIC_FLAGS = FIN | SYN | RST | PSH | ACK | URG;

/** What `packet`, seen at `time` (seconds since the epoch), asks. */
export function classify(packet: Packet, time: number): Classified {
  switch (packet.kind) {
    case "unknown":
      return { kind: "none", reason: packet.reason };
    case "tcp":
      return classifyTcp(packet, time);
    case "udp":
      return probe(packet, { time, port: packet.destPort, sourcePort: packet.sourcePort, scan: "udp" });
    case "sctp":
      if (packet.chunkType !== SCTP_CHUNK.init) return SCTP_NOT_INIT;
      return probe(packet, { time, port: packet.destPort, sourcePort: packet.sourcePort, scan: "sctp" });
    case "icmp":
      if (!ICMP_REQUESTS[familyOf(packet.source)].includes(packet.type)) return ICMP_NOT_REQUEST;
      return probe(packet, { time, port: packet.type, sourcePort: 0, scan: "icmp" });
  }
}

/** Whether this kind of evidence looks the same as a stray late packet of a connection that was. */
export function isAckType(scan: ScanType): boolean {
  return scan === "ack" || scan === "window" || scan === "maimon";
}

function classifyTcp(packet: TcpPacket, time: number): Classified {
  const flags = packet.flags;
  const scan = flags === undefined ? "unknown" : scanOfFlags(flags);
  if (scan === "syn-ack") return SYN_ACK;
  if (scan === "reset") return RESET;
  return probe(packet, {
    time,
    port: packet.destPort,
    sourcePort: packet.sourcePort,
    scan,
    flags: flags ?? 0,
  });
}

/** The order is PortSentry's where it names something: FIN, PSH and URG together are XMAS whatever else is set. */
function scanOfFlags(flags: number): ScanType | "syn-ack" | "reset" {
  const classic = flags & CLASSIC_FLAGS;
  if ((classic & RST) !== 0) return "reset";
  if ((classic & ACK) !== 0) {
    if ((classic & SYN) !== 0) return "syn-ack";
    return classic === (FIN | ACK) ? "maimon" : "ack";
  }
  if (classic === 0) return "null";
  if (classic === SYN) return "syn";
  if (classic === FIN) return "fin";
  return (classic & (FIN | PSH | URG)) === (FIN | PSH | URG) ? "xmas" : "unknown";
}

interface Question {
  readonly time: number;
  readonly port: number;
  readonly sourcePort: number;
  readonly scan: ScanType;
  readonly flags?: number;
}

function probe(packet: Exclude<Packet, { kind: "unknown" }>, question: Question): Classified {
  return {
    kind: "probe",
    probe: {
      time: question.time,
      source: packet.source,
      dest: packet.dest,
      protocol: packet.kind,
      port: question.port,
      sourcePort: question.sourcePort,
      scan: question.scan,
      flags: question.flags ?? 0,
      hasOptions: packet.hasOptions,
    },
  };
}
