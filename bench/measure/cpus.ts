/**
 * Processors to be kept to: whoever wanders between them, as the scheduler likes, measures differently each time.
 * @module
 */

/** The numbers of the processors that this process may use, from the text of /proc/self/status. */
export function allowedCpus(status: string): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
  return list.split(",").filter((part) => part !== "").flatMap((part) => {
    const [first = NaN, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** The command that runs `argv` on one processor; ends that talk to each other have different ones, where there are two. */
export function pinned(end: "server" | "client", argv: readonly string[]): readonly string[] {
  const cpus = allowedCpus(Deno.readTextFileSync("/proc/self/status"));
  const cpu = end === "server" ? cpus[0] : cpus[1] ?? cpus[0];
  return cpu === undefined ? argv : ["taskset", "-c", String(cpu), ...argv];
}
