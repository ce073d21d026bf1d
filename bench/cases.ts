/**
 * All cases, in the order of the report.
 * @module
 */
import type { Case } from "./case.ts";
import { exposure } from "./cases/exposure.ts";
import { flood } from "./cases/flood.ts";
import { footprint } from "./cases/footprint.ts";
import { hotPath } from "./cases/hot_path.ts";
import { manyBans } from "./cases/many_bans.ts";
import { manyScanners } from "./cases/many_scanners.ts";
import { reaction } from "./cases/reaction.ts";
import { traffic } from "./cases/traffic.ts";

/** See `--case`. */
export const CASES: readonly Case[] = [
  reaction,
  exposure,
  traffic,
  flood,
  manyScanners,
  footprint,
  hotPath,
  manyBans,
];
