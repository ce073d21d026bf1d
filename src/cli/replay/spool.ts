/**
 * A pipe can be read once only: what comes out of it goes to a temporary file, which is gone afterwards, also when
 * somebody interrupts us.
 * @module
 */
import { EXIT, messageOf, UserError } from "../../errors.ts";

/** Large files that need not survive a reboot belong here (file-hierarchy(7)); `/tmp` is often memory. */
const LARGE_FILES = "/var/tmp";
const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Give `body` the path of a file with everything that comes from a pipe.
 *
 * @param capture The path of the pipe; `-`: standard input.
 * @throws UserError When it cannot be read, or there is no room for it.
 */
export async function withSpooled<T>(capture: string, body: (path: string) => Promise<T>): Promise<T> {
  let path: string | undefined;
  const remove = (): void => {
    if (path !== undefined) Deno.removeSync(path);
    path = undefined;
  };
  const endings = ENDINGS.map((signal) => ({
    signal,
    end: (): void => {
      remove();
      unlisten();
      // Once more, now without a listener: whoever started us sees what ended us.
      Deno.kill(Deno.pid, signal);
    },
  }));
  const unlisten = (): void => {
    for (const { signal, end } of endings) Deno.removeSignalListener(signal, end);
  };
  // Before there is a file to leave behind.
  for (const { signal, end } of endings) Deno.addSignalListener(signal, end);
  try {
    path = makeFile(capture);
    await copy(capture, path);
    return await body(path);
  } finally {
    unlisten();
    remove();
  }
}

function makeFile(capture: string): string {
  try {
    const dir = Deno.env.get("TMPDIR") || LARGE_FILES;
    return Deno.makeTempFileSync({ dir, prefix: "portsnare-replay-" });
  } catch (cause) {
    throw unreadable(capture, cause);
  }
}

async function copy(capture: string, path: string): Promise<void> {
  try {
    const input = capture === "-" ? Deno.stdin.readable : (await Deno.open(capture)).readable;
    const file = await Deno.open(path, { write: true });
    await input.pipeTo(file.writable);
  } catch (cause) {
    throw unreadable(capture, cause);
  }
}

function unreadable(capture: string, cause: unknown): UserError {
  return new UserError(
    `Cannot copy the capture ${capture} to a temporary file: ${
      messageOf(cause)
    }; TMPDIR names another place for it`,
    { exitCode: EXIT.badData, cause },
  );
}
