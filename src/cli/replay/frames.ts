/**
 * The IP packets of a capture file, in file order, as often as they are asked for.
 * @module
 */
import { type CaptureFault, openCapture, readCapture } from "../../capture/capture_file.ts";
import { networkLayerOffset } from "../../capture/link_layer.ts";
import type { IpPacket } from "../../capture/reassembly.ts";

/** An IP packet of a capture. */
export interface IpFrame extends IpPacket {
  /** Seconds since the epoch, as the capture has it. */
  readonly time: number;
}

/** What a run over the file came to. */
export interface Tally {
  /** Packets of any kind. */
  readonly packets: number;
  /** Packets of a link layer that cannot be read. */
  readonly unsupported: number;
  /** The first such link layer's LINKTYPE_ number. */
  readonly unsupportedType: number | undefined;
  /** Why the file could not be read to its end. */
  readonly fault: CaptureFault | undefined;
}

/** Run over a capture file. @throws UserError When it cannot be opened. */
export async function eachFrame(path: string, visit: (frame: IpFrame) => void): Promise<Tally> {
  let packets = 0;
  let unsupported = 0;
  let unsupportedType: number | undefined;
  for await (const batch of readCapture(await openCapture(path))) {
    for (const { linkType, time, bytes, wireLength } of batch.packets) {
      packets++;
      const offset = networkLayerOffset(linkType, bytes);
      if (offset === "unsupported") {
        unsupported++;
        unsupportedType ??= linkType;
      } else if (offset !== "not-ip") {
        visit({ time, bytes: bytes.subarray(offset), wireLength: wireLength - offset });
      }
    }
    if (batch.fault !== undefined) return { packets, unsupported, unsupportedType, fault: batch.fault };
  }
  return { packets, unsupported, unsupportedType, fault: undefined };
}
