/**
 * The ports that a user says are open, as `--open` spells them: `22,80,8000-8010,udp:514`.
 * @module
 */
import { formatPortRange, parsePortRange, PortSet } from "../../net/ports.ts";

/** What the user says is open. A protocol that is not there was not spoken of. */
export interface ListedPorts {
  /** The open TCP ports; then a SYN/ACK makes no port open. */
  readonly tcp?: PortSet;
  /** UDP ports that are open, besides those that answer. */
  readonly udp?: PortSet;
}

const UDP = "udp:";

/** The ports that `text` spells, or `undefined`. */
export function parseListedPorts(text: string): ListedPorts | undefined {
  const items = text.split(",");
  const udpItems = items.filter((item) => item.startsWith(UDP)).map((item) => item.slice(UDP.length));
  const tcp = portSet(items.filter((item) => !item.startsWith(UDP)));
  const udp = portSet(udpItems);
  if (tcp === undefined || udp === undefined) return undefined;
  return { ...(tcp.size > 0 && { tcp }), ...(udp.size > 0 && { udp }) };
}

/** The shortest text that spells these ports. */
export function formatListedPorts({ tcp, udp }: ListedPorts): string {
  const tcpItems = tcp?.ranges().map(formatPortRange) ?? [];
  const udpItems = udp?.ranges().map((range) => UDP + formatPortRange(range)) ?? [];
  return [...tcpItems, ...udpItems].join(",");
}

function portSet(items: readonly string[]): PortSet | undefined {
  const ranges = items.map(parsePortRange);
  const known = ranges.filter((range) => range !== undefined);
  return known.length === ranges.length ? new PortSet(known) : undefined;
}
