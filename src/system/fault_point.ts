/**
 * Places at which the tests end the process, as a power cut would: `PORTSNARE_FAULT` names one.
 * @module
 */

/** Every place. */
export type FaultPoint =
  | "ban-enforced"
  | "ban-saved"
  | "ban-told"
  | "release-undone"
  | "release-saved"
  | "release-told";

const chosen = Deno.env.get("PORTSNARE_FAULT");

/** End the process here and now if the environment says so. */
export function faultPoint(point: FaultPoint): void {
  if (chosen === point) Deno.kill(Deno.pid, "SIGKILL");
}
