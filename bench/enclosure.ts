/**
 * A program in namespaces of its own: whatever it starts, mounts or names is taken away by the kernel when it ends, also
 * when it is interrupted or killed.
 *
 * Its processes are in a PID namespace, which ends with its first process (pid_namespaces(7)); its mounts in a mount
 * namespace, which also holds the only names of its network namespaces (/run/netns); its files below one directory; its
 * control groups below one name. Only the last two outlive it, and are removed here.
 * @module
 */
import { GROUP_NAME_VARIABLE, groupsNamed } from "./measure/cpu_group.ts";

const SIGNALS: Readonly<Partial<Record<Deno.Signal, number>>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
/** The first process of the namespace: it collects whatever loses its parent. A shell that does not become the program. */
const FIRST_PROCESS = 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && "$@"; exit $?';
const END_SECONDS = 20;

/** Run a program to its end or until this process is told to end. @returns Its exit status, or 128 and the signal. */
export async function enclosed(argv: readonly string[]): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "portsnare-bench-" });
  const name = directory.slice(directory.lastIndexOf("/") + 1);
  const child = new Deno.Command("setpriv", {
    // Killed with this process, so that not even kill -9 leaves anything running.
    args: ["--pdeathsig", "KILL"].concat(
      ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"],
      ["/bin/sh", "-c", FIRST_PROCESS, "sh", ...argv],
    ),
    env: { TMPDIR: directory, [GROUP_NAME_VARIABLE]: name },
    stdin: "null",
  }).spawn();
  let interrupted: number | undefined;
  const stops = Object.entries(SIGNALS).map(([signal, number]) => {
    const stop = (): void => {
      interrupted = 128 + number;
      child.kill("SIGKILL");
    };
    Deno.addSignalListener(signal as Deno.Signal, stop);
    return () => Deno.removeSignalListener(signal as Deno.Signal, stop);
  });
  try {
    const { code } = await child.status;
    return interrupted ?? code;
  } finally {
    for (const group of groupsNamed(name)) await removed(group);
    await removed(directory, { recursive: true });
    for (const stop of stops) stop();
  }
}

/** Remove a path that something which is just ending may still use. @throws {Error} When it cannot be removed in time. */
async function removed(path: string, options: Deno.RemoveOptions = {}): Promise<void> {
  const deadline = performance.now() + END_SECONDS * 1000;
  for (;;) {
    try {
      return await Deno.remove(path, options);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
