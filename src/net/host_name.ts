/**
 * Names of hosts, which somebody else chose, made harmless.
 * @module
 */

/** No name of DNS is longer, in bytes (RFC 1035, section 2.3.4). */
const MAX_NAME_BYTES = 255;

const encoder = new TextEncoder();

/**
 * A host name in which every byte but letters, digits, `.`, `-` and `_` is written `\DDD`, as in zone files (RFC 1035,
 * section 5.1).
 *
 * Whoever owns an address block chooses its names: a space, slash or newline in one could forge a field of the history
 * line and have fail2ban ban somebody else. Escaping twice changes nothing. Longer than 255 bytes: cut.
 */
export function escapeName(name: string): string {
  let out = "";
  const bytes = encoder.encode(name).subarray(0, MAX_NAME_BYTES * 4);
  for (let i = 0, taken = 0; i < bytes.length && taken < MAX_NAME_BYTES; taken++) {
    const escaped = escapedAt(bytes, i);
    out += escaped ?? plainOrEscaped(bytes[i] ?? 0);
    i += escaped === undefined ? 1 : 4;
  }
  return out;
}

/** The escape sequence `\DDD` that starts at `at`, if the value fits a byte. */
function escapedAt(bytes: Uint8Array, at: number): string | undefined {
  const text = String.fromCharCode(...bytes.subarray(at, at + 4));
  return /^\\(?:[01]\d\d|2[0-4]\d|25[0-5])$/.test(text) ? text : undefined;
}

function plainOrEscaped(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(character) ? character : `\\${String(byte).padStart(3, "0")}`;
}
