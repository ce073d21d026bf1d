/**
 * Giving up what this process could do: prctl(2), and execve(2) to begin again with what is left.
 *
 * Capabilities belong to threads, and the runtime has many that nobody asks to give theirs up; a program that begins
 * anew has one, and all others come from it.
 * @module
 */
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** linux/prctl.h. */
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;

/**
 * Take a capability out of the bounding set: no program that this thread executes from now on gets it.
 *
 * @throws {SyscallError} EPERM without CAP_SETPCAP.
 */
export function dropFromBoundingSet(capability: number): void {
  checked(libc.prctl(PR_CAPBSET_DROP, BigInt(capability), 0n, 0n, 0n), "drop a capability");
}

/** From now on no program gains anything by set-user-ID, set-group-ID or file capabilities. */
export function setNoNewPrivileges(): void {
  checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n), "set no_new_privs");
}

/**
 * Become another program: same process, same standard streams, nothing else stays.
 *
 * @returns Never.
 * @throws {SyscallError} When it could not be started; then everything is as it was.
 */
export function execute(
  path: string,
  program: { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> },
): never {
  const argv = vector(program.argv);
  const env = vector(Object.entries(program.env).map(([name, value]) => `${name}=${value}`));
  checked(libc.execve(cString(path), argv.pointers, env.pointers), `execute ${path}`);
  // The texts must outlive the call.
  throw new Error(`execve returned although it succeeded: ${argv.texts.length + env.texts.length} texts`);
}

interface Vector {
  readonly pointers: Uint8Array<ArrayBuffer>;
  readonly texts: readonly Uint8Array<ArrayBuffer>[];
}

/** An array of pointers to texts, with a null pointer at its end. */
function vector(values: readonly string[]): Vector {
  const texts = values.map(cString);
  const pointers = new BigUint64Array(texts.length + 1);
  for (const [index, text] of texts.entries()) {
    pointers[index] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(text)));
  }
  return { pointers: new Uint8Array(pointers.buffer), texts };
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("A text for C holds a NUL");
  return new TextEncoder().encode(`${text}\0`);
}
