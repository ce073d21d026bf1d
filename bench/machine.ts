/**
 * Where and of what the figures were made.
 * @module
 */
import type { Contestant } from "./contestants/contestant.ts";
import { markdown } from "./measure/format.ts";

/** A table of the machine, its kernel, the date and the versions. */
export async function machine(versions: ReadonlyMap<Contestant, string>): Promise<string> {
  const cpus = await Deno.readTextFile("/proc/cpuinfo");
  const model = /^model name\s*:\s*(.*)$/m.exec(cpus)?.[1] ?? "unknown processor";
  const load = (await Deno.readTextFile("/proc/loadavg")).split(" ").slice(0, 3).join(" ");
  const release = /^PRETTY_NAME="(.*)"$/m.exec(await Deno.readTextFile("/etc/os-release"))?.[1] ?? "";
  return markdown({
    head: ["what", "which"],
    rows: [
      ["date", new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC"],
      ["processor", `${navigator.hardwareConcurrency} × ${model}`],
      ["memory", `${Math.round(Deno.systemMemoryInfo().total / 2 ** 30)} GiB`],
      ["system", `${release}, Linux ${Deno.osRelease()}`],
      ["load before the start", load],
      ["runtime", `Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`],
      ...[...versions].filter(([{ name }]) => name !== "no detector").map((
        [{ name }, version],
      ) => [name, version]),
    ],
  });
}
