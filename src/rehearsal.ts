/**
 * The way of a packet, gone a few times before the trap is armed.
 *
 * What runs for the first time is compiled for the first time: the first scanner would be answered some ten
 * milliseconds late, the second one in less than one. Nothing comes of it: what is asked of the kernel changes nothing,
 * and nobody is told.
 * @module
 */
import type { Config } from "./config/schema.ts";
import type { Trap } from "./config/trap.ts";
import type { Decision } from "./detect/decision.ts";
import { Detector, type DetectorFacts } from "./detect/detector.ts";
import { type Address, ipv4Address, sameAddress } from "./net/address.ts";
import { Pipeline } from "./pipeline.ts";

/** Addresses of RFC 5737, which nobody has: 192.0.2.1 asks 192.0.2.2. */
const SOURCE = ipv4Address(0xc0000201);
const DEST = ipv4Address(0xc0000202);
/** More make it no faster. */
const TIMES = 3;

/** What is rehearsed. */
export interface RehearsalParts {
  /** The configuration. */
  readonly config: Config;
  /** Its trap. */
  readonly trap: Trap;
  /** The detector's real facts. */
  readonly facts: DetectorFacts;
  /** The real last look before a ban. */
  readonly confirm: (decision: Decision) => Decision | undefined;
  /** Stands for what the firewall is told about this source. */
  readonly act: (source: Address) => void;
}

/** Take made-up packets through all stages up to the firewall. */
export function rehearse({ config, trap, facts, confirm, act }: RehearsalParts): void {
  const detect = { ...config.detect, scan_trigger: 2, max_sources: 1 };
  const detector = new Detector({
    config: { ...config, detect },
    trap,
    facts: { ...facts, isForUs: (dest) => sameAddress(dest, DEST) },
  });
  const pipeline = new Pipeline({
    detector,
    confirm,
    quarantine: (decisions) => decisions.forEach(({ probe }) => act(probe.source)),
    bans: { make: (decisions) => Promise.resolve(decisions.forEach(({ probe }) => act(probe.source))) },
    recorder: { record: () => ({}) },
  });
  for (let i = 0; i < TIMES; i++) {
    for (const { first } of trap.tcp.ranges().slice(0, 2)) {
      const bytes = synPacket(first);
      pipeline.frame({ time: 1, bytes, wireLength: bytes.length, outgoing: false });
      pipeline.flush();
    }
    detector.forget(SOURCE);
  }
}

/** An IPv4 packet with a TCP SYN and nothing else (RFC 791, RFC 9293). */
function synPacket(port: number): Uint8Array {
  const bytes = new Uint8Array(40);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  view.setUint8(8, 64);
  view.setUint8(9, 6);
  view.setUint32(12, SOURCE.w3);
  view.setUint32(16, DEST.w3);
  view.setUint16(20, 40000);
  view.setUint16(22, port);
  view.setUint8(32, 5 << 4);
  view.setUint8(33, 2);
  return bytes;
}
