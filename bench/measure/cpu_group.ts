/**
 * The processor time of a program and of everything that it starts, from a control group: also of children that are gone,
 * and finer than the clock ticks of /proc.
 * @module
 */

/** Environment: what the names of all groups begin with, so that whoever set it can find those that were left. */
export const GROUP_NAME_VARIABLE = "PORTSNARE_BENCH_GROUPS";

/** Where the groups of both versions of the kernel's interface are. */
const HIERARCHIES = [
  {
    root: "/sys/fs/cgroup/cpuacct",
    all: { file: "cpuacct.usage", seconds: (text: string) => Number(text) / 1e9 },
    kernel: { file: "cpuacct.usage_sys", seconds: (text: string) => Number(text) / 1e9 },
  },
  {
    root: "/sys/fs/cgroup",
    all: {
      file: "cpu.stat",
      seconds: (text: string) => Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e6,
    },
    kernel: {
      file: "cpu.stat",
      seconds: (text: string) => Number(/^system_usec (\d+)$/m.exec(text)?.[1]) / 1e6,
    },
  },
];

/** A control group of its own; gone when disposed of, which needs its processes to have ended. */
export class CpuGroup implements Disposable {
  static #count = 0;
  readonly #path: string;
  readonly #hierarchy: typeof HIERARCHIES[number];

  private constructor(path: string, hierarchy: typeof HIERARCHIES[number]) {
    this.#path = path;
    this.#hierarchy = hierarchy;
  }

  /** Make a group in whichever hierarchy this machine has. */
  static create(): CpuGroup {
    const name = Deno.env.get(GROUP_NAME_VARIABLE) ?? `portsnare-bench-${Deno.pid}`;
    for (const hierarchy of HIERARCHIES) {
      // Of a directory that is no hierarchy, this file is missing: then it is the other version.
      if (!exists(`${hierarchy.root}/cgroup.procs`)) continue;
      const path = `${hierarchy.root}/${name}-${CpuGroup.#count++}`;
      Deno.mkdirSync(path);
      return new CpuGroup(path, hierarchy);
    }
    throw new Error(
      "No control group can be made here (cpuacct or version 2): processor time cannot be measured",
    );
  }

  /** The command that runs `argv` in this group. */
  wrap(argv: readonly string[]): readonly string[] {
    return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', `${this.#path}/cgroup.procs`, ...argv];
  }

  /** Everything that runs in it. */
  pids(): readonly number[] {
    return Deno.readTextFileSync(`${this.#path}/cgroup.procs`).split("\n").filter((line) => line !== "").map(
      Number,
    );
  }

  /** Used so far, in seconds. */
  cpuSeconds(): number {
    return this.#read(this.#hierarchy.all);
  }

  /** How much of it the kernel spent on its behalf. */
  kernelSeconds(): number {
    return this.#read(this.#hierarchy.kernel);
  }

  /** What its processes hold in memory together, in KiB. Pages that they share count once for each. */
  rssKiB(): number {
    return this.pids().reduce((sum, pid) => sum + ofStatus(pid, /^VmRSS:\s+(\d+) kB$/m), 0);
  }

  /** How often the first threads of its processes slept and were woken. */
  wakes(): number {
    return this.pids().reduce((sum, pid) => sum + ofStatus(pid, /^voluntary_ctxt_switches:\s+(\d+)$/m), 0);
  }

  #read({ file, seconds }: typeof HIERARCHIES[number]["all"]): number {
    return seconds(Deno.readTextFileSync(`${this.#path}/${file}`));
  }

  /** Remove the group. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}

/** The groups that are there with names that begin so. */
export function groupsNamed(name: string): readonly string[] {
  return HIERARCHIES.filter(({ root }) => exists(root)).flatMap(({ root }) =>
    [...Deno.readDirSync(root)].filter((entry) => entry.name.startsWith(`${name}-`))
      .map((entry) => `${root}/${entry.name}`)
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A number of a process's status; 0 for one that has none. */
function ofStatus(pid: number, line: RegExp): number {
  try {
    return Number(line.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0);
  } catch {
    // It has ended in between.
    return 0;
  }
}
