/**
 * Makes hostile input out of good input, the same for the same seed: every input can be made again from its number.
 * @module
 */

/** A small generator of numbers (mulberry32): enough to reach everywhere, and the same on every machine. */
export class Random {
  #state: number;

  /** The sequence that belongs to this seed. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** One of these. */
  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("There is nothing to pick from");
    return value;
  }
}

/** What an input is made from. */
export interface Material {
  /** Input that is right. */
  readonly corpus: readonly Uint8Array[];
  /** Words that mean something in this format. */
  readonly words?: readonly string[];
  /** How much the reader takes at once, and every how manieth input is so long. Default: none is. */
  readonly long?: { readonly bytes: number; readonly every: number };
}

/** Inputs are cut here, but for the long ones. */
export const MAX_INPUT_BYTES = 1 << 15;
const MAX_CHANGES = 12;
const CURIOUS = [0, 1, 2, 3, 4, 7, 8, 15, 16, 20, 31, 32, 40, 63, 64, 127, 128, 129, 254, 255];
const CURIOUS_32 = [0, 1, 4, 16, 255, 256, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];
const NUMBERS = [
  "0",
  "-1",
  "00",
  "255",
  "256",
  "65535",
  "65536",
  "4294967296",
  "1e309",
  "9".repeat(400),
  "NaN",
];

/** Input number `index` of the sequence that belongs to `seed`. */
export function makeInput(material: Material, seed: number, index: number): Uint8Array<ArrayBuffer> {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  if (random.below(16) === 0 || material.corpus.length === 0) return noise(random);
  let bytes = Uint8Array.from(random.pick(material.corpus).subarray(0, MAX_INPUT_BYTES));
  for (let left = 1 + random.below(MAX_CHANGES); left > 0; left--) {
    bytes = random.pick(CHANGES)(bytes, random, material).subarray(0, MAX_INPUT_BYTES);
  }
  const { long } = material;
  return long !== undefined && index % long.every === 0 ? lengthen(bytes, random, long.bytes) : bytes;
}

type Change = (bytes: Uint8Array<ArrayBuffer>, random: Random, material: Material) => Uint8Array<ArrayBuffer>;

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  setWord,
  setWord,
  cutOut,
  cutOff,
  repeat,
  insert,
  join,
  writeNumber,
];

function noise(random: Random): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: random.below(random.pick([16, 128, 2048])) }, () => random.below(256));
}

function flipBit(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function setByte(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  bytes[random.below(bytes.length)] = random.below(2) === 0 ? random.pick(CURIOUS) : random.below(256);
  return bytes;
}

/** Lengths and counts are words of two or four bytes in either order. */
function setWord(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length < 4) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const value = random.below(3) === 0 ? bytes.length + random.below(9) - 4 : random.pick(CURIOUS_32);
  const at = random.below(bytes.length - 3);
  if (random.below(2) === 0) view.setUint32(at, value, random.below(2) === 0);
  else view.setUint16(at, value & 0xffff, random.below(2) === 0);
  return bytes;
}

function cutOut(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const from = random.below(bytes.length + 1);
  const to = Math.min(bytes.length, from + random.below(random.pick([4, 64, 1024])));
  return concat(bytes.subarray(0, from), bytes.subarray(to));
}

function cutOff(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, random.below(bytes.length + 1));
}

/** Things that are allowed once come a thousand times. */
function repeat(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const from = random.below(bytes.length + 1);
  const part = bytes.subarray(from, from + random.below(random.pick([8, 64, 512])));
  const times = random.pick([1, 2, 16, 1000]);
  const room = Math.max(0, Math.floor((MAX_INPUT_BYTES - bytes.length) / (part.length + 1)));
  return concat(
    bytes.subarray(0, from),
    ...new Array(Math.min(times, room)).fill(part),
    bytes.subarray(from),
  );
}

function insert(bytes: Uint8Array<ArrayBuffer>, random: Random, material: Material): Uint8Array<ArrayBuffer> {
  const words = material.words ?? [];
  const added = words.length === 0 || random.below(4) === 0
    ? noise(random).subarray(0, 64)
    : new TextEncoder().encode(random.pick(words));
  const at = random.below(bytes.length + 1);
  return concat(bytes.subarray(0, at), added, bytes.subarray(at));
}

function join(bytes: Uint8Array<ArrayBuffer>, random: Random, material: Material): Uint8Array<ArrayBuffer> {
  const other = random.pick(material.corpus);
  return concat(
    bytes.subarray(0, random.below(bytes.length + 1)),
    other.subarray(random.below(other.length + 1)),
  );
}

/** What is quick in a short input may take the square of its length in one that is as long as it may be. */
function lengthen(
  bytes: Uint8Array<ArrayBuffer>,
  random: Random,
  length: number,
): Uint8Array<ArrayBuffer> {
  const from = random.below(bytes.length + 1);
  const part = bytes.subarray(from, from + 1 + random.below(random.pick([1, 4, 16, 64, 1024])));
  const whole = new Uint8Array(length);
  whole.set(bytes);
  if (part.length === 0) return whole;
  for (let at = random.pick([0, bytes.length]); at < length; at += part.length) {
    whole.set(part.subarray(0, length - at), at);
  }
  return whole;
}

/** A number in a text becomes another one. */
function writeNumber(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const start = random.below(bytes.length + 1);
  const from = bytes.findIndex((byte, index) => index >= start && byte >= 48 && byte <= 57);
  if (from < 0) return bytes;
  const length = bytes.subarray(from).findIndex((byte) => byte < 48 || byte > 57);
  const rest = length < 0 ? new Uint8Array(0) : bytes.subarray(from + length);
  return concat(bytes.subarray(0, from), new TextEncoder().encode(random.pick(NUMBERS)), rest);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
