/**
 * Which configuration a verb works with.
 * @module
 */
import { CONFIG_FILE } from "../config/load.ts";

/** What the command line says, else `PORTSNARE_CONFIG` of the environment, else the usual place. */
export function configPath(given: string | undefined): string {
  return given ?? (Deno.env.get("PORTSNARE_CONFIG") || CONFIG_FILE);
}
