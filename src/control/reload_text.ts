/**
 * What a reload did, in words.
 * @module
 */
import type { ReloadView } from "./views.ts";

/** One line for the log and for whoever asked for the reload. */
export function reloadText({ config, needsRestart }: ReloadView): string {
  const read = `The configuration was read anew: ${config.join(", ")}`;
  if (needsRestart.length === 0) return read;
  const stays = needsRestart.length === 1 ? "stays as it was" : "stay as they were";
  return `${read}; but ${needsRestart.join(" and ")} ${stays} until portsnare is restarted`;
}
