/**
 * Who takes part.
 * @module
 */
import type { Contestant } from "./contestants/contestant.ts";
import { none } from "./contestants/none.ts";
import { portsentry1 } from "./contestants/portsentry1.ts";
import { portsentry2 } from "./contestants/portsentry2.ts";
import { portsnare } from "./contestants/portsnare.ts";

/** Bans at the first probe, as PortSentry does. */
const AT_ONCE = { remark: "trigger 0", changes: { detect: { scan_trigger: 0 } } } as const;

/** Everybody, in the order of the tables. */
export const FIELD: readonly Contestant[] = [
  none,
  portsentry1,
  portsentry2,
  portsnare({ engine: "kernel" }),
  portsnare({ engine: "kernel", ...AT_ONCE }),
  portsnare({ engine: "raw" }),
  portsnare({ engine: "raw", ...AT_ONCE }),
];
