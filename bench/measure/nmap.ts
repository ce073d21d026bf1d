/**
 * What a scanner learns from nmap.
 * @module
 */

/**
 * How many of the ports that are really open a scan tells from the closed ones, from nmap's `-oG` output.
 *
 * FIN, NULL and XMAS scans call a port `open|filtered` when nothing comes back. That is news only while closed ports do
 * answer: where most of the scanned ports are silent, no port is told from any other.
 *
 * @param output One host's output of `nmap -oG -`.
 * @param options `open`: the open ports. `scanned`: how many ports were asked for.
 */
export function portsLearnt(
  output: string,
  options: { readonly open: readonly number[]; readonly scanned: number },
): number {
  const states = new Map<number, string>();
  for (const [, port, state] of output.matchAll(/(\d+)\/(open|open\|filtered)\/tcp/g)) {
    states.set(Number(port), state ?? "");
  }
  const ignored = /Ignored State: (\S+)/.exec(output)?.[1];
  const silent = [...states.values()].filter((state) => state === "open|filtered").length;
  const told = ignored !== "open|filtered" && silent * 2 <= options.scanned;
  return options.open.filter((port) => {
    const state = states.get(port);
    return state === "open" || (told && state === "open|filtered");
  }).length;
}
