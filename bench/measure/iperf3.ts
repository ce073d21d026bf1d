/**
 * What iperf3 found out.
 * @module
 */

/** The throughput in Gbit/s from the output of `iperf3 -J`. @throws {Error} When it reports none. */
export function gigabits(json: string): number {
  const report: unknown = JSON.parse(json);
  // iperf3's own JSON; each step is checked by the optional access and the test at the end.
  const value = (report as { end?: { sum_received?: { bits_per_second?: unknown } } }).end?.sum_received
    ?.bits_per_second;
  if (typeof value !== "number") throw new Error(`iperf3 measured nothing: ${json.slice(0, 300)}`);
  return value / 1e9;
}
