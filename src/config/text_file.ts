/**
 * Reads a file that somebody edits by hand: bounded, UTF-8, and with an error that says what to do.
 * @module
 */
import { ConfigError, EXIT, messageOf, UserError } from "../errors.ts";

/** No configuration is longer than this; a longer file is a mistake, such as a log. One of this length is read within a second. */
export const MAX_CONFIG_BYTES = 256 * 1024;

/**
 * The bytes of a configuration file. Throws an error that names the file and says what to do.
 *
 * @param advice What to do when there is no such file. Default: nothing is advised.
 */
export async function readConfigBytes(path: string, advice?: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readBounded(path, MAX_CONFIG_BYTES + 1).catch((error: unknown) => {
    throw unreadable(path, { cause: error, advice });
  });
  if (bytes.length <= MAX_CONFIG_BYTES) return bytes;
  throw refusal(
    path,
    `larger than ${
      MAX_CONFIG_BYTES / 1024
    } KiB; is this the right file? Long lists of addresses belong in a file ` +
      "that ignore.files names",
  );
}

/** The text of a file in UTF-8. Throws a {@link ConfigError} that says where it is none. */
export function decodeText(bytes: Uint8Array<ArrayBuffer>, path: string): string {
  try {
    return decodeStrictly(bytes);
  } catch {
    const message = "not text in UTF-8; is this the right file, and saved as UTF-8?";
    throw new ConfigError([{ file: path, ...firstForeign(bytes), message }]);
  }
}

function decodeStrictly(bytes: Uint8Array<ArrayBuffer>): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Where the first character stands that is not UTF-8. No character of UTF-8 goes over the end of a line. */
function firstForeign(
  bytes: Uint8Array<ArrayBuffer>,
): { readonly line: number; readonly column: number } {
  for (let line = 1, start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const text = new TextDecoder().decode(bytes.subarray(start, end));
    const column = text.indexOf("\ufffd") + 1;
    if (column > 0) return { line, column };
    start = end + 1;
  }
  return { line: 0, column: 0 };
}

/** The first `limit` bytes of a file. Pipes and devices, which may never end, are refused. */
export async function readBounded(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  // Before it is opened: opening a pipe waits for somebody who writes into it.
  const { isFile, isDirectory } = await Deno.stat(path);
  if (isDirectory) throw new Deno.errors.IsADirectory(`${path} is a directory`);
  if (!isFile) throw new Deno.errors.InvalidData(`${path} is not a regular file`);
  using file = await Deno.open(path);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  while (length < limit) {
    const chunk = new Uint8Array(Math.min(65536, limit - length));
    const count = await file.read(chunk);
    if (count === null) break;
    chunks.push(chunk.subarray(0, count));
    length += count;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function unreadable(
  path: string,
  { cause, advice }: { readonly cause: unknown; readonly advice: string | undefined },
): UserError {
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new UserError(`${path}: reading it is not permitted; run as root`, {
      exitCode: EXIT.permission,
      cause,
    });
  }
  return refusal(
    path,
    cause instanceof Deno.errors.NotFound
      ? `there is no such file${advice === undefined ? "" : `; ${advice}`}`
      : `cannot be read as a configuration: ${messageOf(cause)}`,
  );
}

function refusal(path: string, message: string): ConfigError {
  return new ConfigError([{ file: path, line: 0, column: 0, message }]);
}
