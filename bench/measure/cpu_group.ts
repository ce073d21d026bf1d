/**
 * The processor time of a program and of everything that it starts, from a control group: also of children that are gone,
 * and finer than the clock ticks of /proc.
 * @module
 */

/** Where the groups of both versions of the kernel's interface are. */
const HIERARCHIES = [
  { root: "/sys/fs/cgroup/cpuacct", file: "cpuacct.usage", seconds: (text: string) => Number(text) / 1e9 },
  {
    root: "/sys/fs/cgroup",
    file: "cpu.stat",
    seconds: (text: string) => Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e6,
  },
];

/** A control group of its own; gone when disposed of, which needs its processes to have ended. */
export class CpuGroup implements Disposable {
  static #count = 0;
  readonly #path: string;
  readonly #file: string;
  readonly #seconds: (text: string) => number;

  private constructor(path: string, hierarchy: typeof HIERARCHIES[number]) {
    this.#path = path;
    this.#file = `${path}/${hierarchy.file}`;
    this.#seconds = hierarchy.seconds;
  }

  /** Make a group in whichever hierarchy this machine has. */
  static create(): CpuGroup {
    for (const hierarchy of HIERARCHIES) {
      const path = `${hierarchy.root}/portsnare-bench-${Deno.pid}-${CpuGroup.#count++}`;
      try {
        Deno.mkdirSync(path);
        Deno.statSync(`${path}/${hierarchy.file}`);
        return new CpuGroup(path, hierarchy);
      } catch {
        // The other version, perhaps; there is no third.
      }
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
    return this.#seconds(Deno.readTextFileSync(this.#file));
  }

  /** What its processes hold in memory together, in KiB. Pages that they share count once for each. */
  rssKiB(): number {
    return this.pids().reduce((sum, pid) => sum + residentKiB(pid), 0);
  }

  /** Remove the group. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}

function residentKiB(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    // It has ended in between.
    return 0;
  }
}
