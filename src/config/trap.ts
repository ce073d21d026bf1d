/**
 * Which ports are trapped by looking at packets, for every engine and for replay.
 *
 * Ports that a local service owns are taken out at run time, by the engine; they are not known here.
 * @module
 */
import { PortSet } from "../net/ports.ts";
import type { Config, ProtocolConfig } from "./schema.ts";

/** The trapped ports by protocol. */
export interface Trap {
  /** Trapped TCP ports. */
  readonly tcp: PortSet;
  /** Trapped UDP ports. */
  readonly udp: PortSet;
  /** SCTP follows the TCP ports. */
  readonly sctp: PortSet;
  /** Whether ICMP requests are probes. */
  readonly icmp: boolean;
}

/** The trap that a configuration asks for. Modes `off` and `connect` watch no packets. */
export function trapOf(config: Config): Trap {
  const tcp = portsOf(config.tcp);
  return {
    tcp,
    udp: portsOf(config.udp),
    sctp: config.detect.sctp ? tcp : new PortSet(),
    icmp: config.detect.icmp,
  };
}

/** Whether any port is trapped by looking at packets. */
export function watchesPackets({ tcp, udp, detect }: Config): boolean {
  return detect.icmp || [tcp, udp].some(({ mode }) => mode === "stealth" || mode === "advanced");
}

function portsOf(protocol: ProtocolConfig): PortSet {
  switch (protocol.mode) {
    case "off":
    case "connect":
      return new PortSet();
    case "stealth":
      return protocol.ports;
    case "advanced":
      return new PortSet([{ first: 0, last: protocol.advanced_below - 1 }]).without(protocol.exclude);
  }
}
