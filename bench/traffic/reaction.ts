/**
 * How long a scanner was still answered, from a capture on its own side.
 * @module
 */
import { networkLayerOffset } from "../../src/capture/link_layer.ts";
import { openCapture, readCapture } from "../../src/capture/capture_file.ts";
import { decodePacket } from "../../src/decode/decode.ts";
import { formatAddress } from "../../src/net/address.ts";
import { TCP_FLAG } from "../../src/decode/packet.ts";

/** A TCP packet of the capture. */
export interface Seen {
  /** Seconds. */
  readonly time: number;
  readonly source: string;
  readonly dest: string;
  readonly sourcePort: number;
  readonly destPort: number;
}

/** What the scanner found. */
export interface Reaction {
  /** From its first trapped packet to the first packet after the last answer; `undefined` when it was never silenced. */
  readonly silentAfterMs: number | undefined;
  /** Packets to the open port, sent after the first trapped packet, that were answered. */
  readonly answered: number;
}

/** Find out about one scanner from all packets of a capture, in order of time. */
export function reactionOf(
  packets: readonly Seen[],
  options: { readonly scanner: string; readonly openPort: number },
): Reaction {
  const { scanner, openPort } = options;
  const asked = packets.filter(({ source }) => source === scanner);
  const answered = new Set(
    packets.filter(({ dest, sourcePort }) => dest === scanner && sourcePort === openPort)
      .map(({ destPort }) => destPort),
  );
  const trap = asked.find((packet) => packet.destPort !== openPort);
  if (trap === undefined) throw new Error("The scanner's capture shows no trapped packet");
  const beats = asked.filter((packet) => packet.destPort === openPort && packet.time >= trap.time);
  const lastAnswered = beats.findLastIndex((packet) => answered.has(packet.sourcePort));
  const silent = beats[lastAnswered + 1];
  return {
    silentAfterMs: silent === undefined ? undefined : (silent.time - trap.time) * 1000,
    answered: beats.filter((packet) => answered.has(packet.sourcePort)).length,
  };
}

/** The SYN and SYN/ACK packets of a capture file. */
export async function openingPackets(path: string): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  for await (const { packets } of readCapture(await openCapture(path))) {
    for (const { linkType, time, bytes } of packets) {
      const offset = networkLayerOffset(linkType, bytes);
      if (typeof offset !== "number") continue;
      const packet = decodePacket(bytes.subarray(offset));
      if (packet.kind !== "tcp" || packet.flags === undefined || (packet.flags & TCP_FLAG.syn) === 0) {
        continue;
      }
      const { sourcePort, destPort } = packet;
      seen.push({
        time,
        source: formatAddress(packet.source),
        dest: formatAddress(packet.dest),
        sourcePort,
        destPort,
      });
    }
  }
  return seen;
}
