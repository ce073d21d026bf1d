/**
 * Which configuration a verb works with.
 * @module
 */
import { CONFIG_FILE } from "../config/load.ts";

/** Where the service is told which configuration it uses; lines of NAME=VALUE, see systemd.exec(5). */
const SERVICE_DEFAULTS = "/etc/default/portsnare";

/**
 * What the command line says, else `PORTSNARE_CONFIG` of the environment, else what the service is started with, so that
 * `portsnare check` never looks at another file than the daemon, else the usual place.
 *
 * @param given What the command line says.
 * @param defaults The file that the service is started with.
 */
export function configPath(given: string | undefined, defaults: string = SERVICE_DEFAULTS): string {
  return given ?? (Deno.env.get("PORTSNARE_CONFIG") || configOfService(defaults) || CONFIG_FILE);
}

/** The path that the last line in `file` that sets `PORTSNARE_CONFIG` names. */
function configOfService(file: string): string | undefined {
  const line = /^[ \t]*PORTSNARE_CONFIG=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#;"']*))[ \t]*$/gm;
  const last = [...readIfThere(file).matchAll(line)].at(-1);
  return last?.[1] ?? last?.[2] ?? last?.[3];
}

function readIfThere(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    // Where it may not be read, nothing is known of the service; whoever asks is told which configuration was read.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return "";
    throw error;
  }
}
