/**
 * What wrk found out.
 * @module
 */

/** Requests a second from the output of wrk. @throws {Error} When it reports none. */
export function requestsPerSecond(output: string): number {
  const found = /^Requests\/sec:\s+([\d.]+)\s*$/m.exec(output)?.[1];
  if (found === undefined) throw new Error(`wrk measured nothing: ${output.slice(0, 300)}`);
  return Number(found);
}
