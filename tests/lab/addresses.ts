/**
 * Addresses and prefixes from their text.
 * @module
 */
import { type Address, parseAddress } from "../../src/net/address.ts";
import { parsePrefix, type Prefix } from "../../src/net/prefix.ts";

/** The address that a text spells. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

/** The prefix that a text spells. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`${text} is no prefix`);
  return parsed;
}
