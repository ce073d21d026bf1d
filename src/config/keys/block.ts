/**
 * The section `[block]`: how long bans last and how many there may be.
 * @module
 */
import { int, number } from "zod";
import { DURATION_FORM } from "../duration.ts";
import { key, type Keys } from "../key.ts";
import { duration } from "../value.ts";

/** The section `[block]`. */
export interface BlockConfig {
  /** The first ban, in seconds; `Infinity`: for ever. */
  readonly duration: number;
  /** How many times longer each further ban of a source is. */
  readonly factor: number;
  /** The longest ban, in seconds; `Infinity`: no limit. */
  readonly max_duration: number;
  /** How many bans may be in force at once. */
  readonly max_active: number;
  /** How many sources may be banned or quarantined a second. */
  readonly rate: number;
  /** How long a source is kept from opening anything new, in seconds; 0: not at all. */
  readonly quarantine: number;
}

/** The keys of `[block]`. */
export const BLOCK_KEYS: Keys<BlockConfig> = {
  duration: key({
    check: duration({ min: 1, permanent: true }),
    default: "1d",
    form: `${DURATION_FORM}, or "permanent"`,
    help: "How long the first ban of a source lasts.",
  }),
  factor: key({
    check: number().min(1).max(100),
    default: 2,
    form: "1 to 100",
    help: "Each further ban of the same source lasts this many times longer.",
  }),
  max_duration: key({
    check: duration({ min: 1, permanent: true }),
    default: "4w",
    form: `${DURATION_FORM}, or "permanent"`,
    help: 'No ban lasts longer than this (except with `duration = "permanent"`).',
  }),
  max_active: key({
    check: int().min(1).max(1048576),
    default: 131072,
    form: "1 to 1048576",
    help:
      "How many bans may be in force at once, and how many sources in quarantine. At the bound no more are " +
      "made: probes are still logged, refusals are counted, and a warning says so once a minute.",
  }),
  rate: key({
    check: int().min(1).max(100000),
    default: 2000,
    form: "1 to 100000 a second",
    help:
      "How many sources may be banned or quarantined a second. Above it probes are still logged, the source " +
      "is caught at its next probe, and a warning says so once a minute.",
  }),
  quarantine: key({
    check: duration({ min: 0 }),
    default: "5s",
    form: `${DURATION_FORM}; "0s": off`,
    help: "How long a source that touched a trap may open nothing new. Established connections go on.",
  }),
};
