/**
 * The section `[detect]`: how packets are seen and when a source counts as a scanner.
 * @module
 */
import { boolean, enum as oneOf, int } from "zod";
import { DURATION_FORM } from "../duration.ts";
import { key, type Keys } from "../key.ts";
import { duration } from "../value.ts";

/** The section `[detect]`. */
export interface DetectConfig {
  /** Where packets come from. */
  readonly engine: "auto" | "kernel" | "raw";
  /** Whether the kernel engine sits before or behind the firewall. */
  readonly position: "before-firewall" | "after-firewall";
  /** How many ports or probes make a scanner. */
  readonly scan_trigger: number;
  /** What `scan_trigger` counts. */
  readonly count: "ports" | "probes";
  /** How long a probe counts, in seconds. */
  readonly window: number;
  /** How long a port that lost its listener is no trap, in seconds. */
  readonly grace: number;
  /** Whether SCTP INITs are probes. */
  readonly sctp: boolean;
  /** Whether ICMP requests are probes. */
  readonly icmp: boolean;
  /** How many sources are remembered at once. */
  readonly max_sources: number;
  /** Whether the names of sources are looked up. */
  readonly resolve_host: boolean;
}

/** The keys of `[detect]`. */
export const DETECT_KEYS: Keys<DetectConfig> = {
  engine: key({
    check: oneOf(["auto", "kernel", "raw"]),
    default: "auto",
    form: '"auto", "kernel" or "raw"',
    help:
      "kernel: our own nftables ruleset holds the trap. raw: a packet socket with a filter. auto: kernel " +
      "where nf_tables works, else raw.",
  }),
  position: key({
    check: oneOf(["before-firewall", "after-firewall"]),
    default: "before-firewall",
    form: '"before-firewall" or "after-firewall"',
    help: "Whether the kernel engine sees what your firewall drops, or only what it lets in.",
  }),
  scan_trigger: key({
    check: int().min(0).max(64),
    default: 3,
    form: "0 to 64",
    help: "How many distinct ports (or probes, see `count`) within `window` make a source a scanner. " +
      "0 and 1: the first probe is enough.",
    portsentry: "SCAN_TRIGGER",
  }),
  count: key({
    check: oneOf(["ports", "probes"]),
    default: "ports",
    form: '"ports" or "probes"',
    help: "What `scan_trigger` counts.",
  }),
  window: key({
    check: duration({ min: 1 }),
    default: "10m",
    form: DURATION_FORM,
    help: "How long a probe counts.",
  }),
  grace: key({
    check: duration({ min: 0 }),
    default: "10m",
    form: DURATION_FORM,
    help:
      "How long a port that lost its listener is no trap, so that a service that restarts does not get its " +
      "own clients banned.",
  }),
  sctp: key({
    check: boolean(),
    default: true,
    form: "true or false",
    help:
      "Whether an SCTP INIT to a port that is trapped for TCP is a probe. Answered as `tcp.response` says.",
  }),
  icmp: key({
    check: boolean(),
    default: false,
    form: "true or false",
    help: "Whether ICMP requests (echo, timestamp, address mask, information) are probes. The message type " +
      "counts as the port. Answered as `tcp.response` says.",
  }),
  max_sources: key({
    check: int().min(1024).max(4194304),
    default: 262144,
    form: "1024 to 4194304",
    help:
      "How many sources are remembered at once. When there are more, those with the fewest ports and the " +
      "oldest probe are forgotten first. Each takes 32 bytes, and 12 more for each probe up to 16 or `scan_trigger`.",
  }),
  resolve_host: key({
    check: boolean(),
    default: false,
    form: "true or false",
    help:
      "Whether the name of a source is looked up for log and history. Delays a line by up to two seconds, " +
      "and never a ban.",
    portsentry: "RESOLVE_HOST",
  }),
};
