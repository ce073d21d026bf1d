/**
 * Who takes part.
 * @module
 */
import type { Contestant } from "./contestants/contestant.ts";
import { none } from "./contestants/none.ts";
import { portsentry1 } from "./contestants/portsentry1.ts";
import { portsentry2 } from "./contestants/portsentry2.ts";
import { portsnare } from "./contestants/portsnare.ts";

/** Everybody, in the order of the tables. */
export const FIELD: readonly Contestant[] = [
  none,
  portsentry1,
  portsentry2,
  portsnare({ engine: "kernel" }),
  portsnare({ engine: "kernel", scanTrigger: 0 }),
  portsnare({ engine: "raw" }),
  portsnare({ engine: "raw", scanTrigger: 0 }),
];
