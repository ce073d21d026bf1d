/**
 * Finds the keys that were set but that the mode of their protocol does not look at.
 * @module
 */
import { type Config, defaultConfig } from "./schema.ts";
import type { Problem } from "./section.ts";

/** The keys that only some modes look at. */
const READ_IN = {
  ports: ["connect", "stealth"],
  advanced_below: ["advanced"],
  exclude: ["advanced"],
} as const;

/** Every such key with another value than the default. */
export function unusedKeys(config: Config): readonly Problem[] {
  const defaults = defaultConfig();
  return (["tcp", "udp"] as const).flatMap((name) =>
    (["ports", "advanced_below", "exclude"] as const).flatMap((key) => {
      const { mode } = config[name];
      const modes: readonly string[] = READ_IN[key];
      if (modes.includes(mode) || String(config[name][key]) === String(defaults[name][key])) return [];
      const readers = modes.map((reader) => `"${reader}"`).join(" or ");
      return [{
        path: [name, key],
        message: `${name}.${key} counts for nothing with ${name}.mode = "${mode}"; it is for ${readers}`,
      }];
    })
  );
}
