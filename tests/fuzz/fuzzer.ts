/**
 * Feeds a target its inputs and reports what it did not stand.
 * @module
 */
import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";
import { messageOf } from "../../src/errors.ts";
import { makeInput, type Material } from "./mutator.ts";
import type { Target } from "./targets.ts";

/** An input that a target did not stand. */
export interface Finding {
  /** The target's name. */
  readonly target: string;
  /** What it was fed. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** What happened. */
  readonly what: string;
}

/** What a run came to. */
export interface Tally {
  /** Inputs tried. */
  readonly inputs: number;
  /** The longest time of the processor that one took, in milliseconds. */
  readonly longestMs: number;
  /** What is more in the heap afterwards than before, in bytes. */
  readonly grownBytes: number;
  /** In the order in which they were found; no more than {@link MAX_FINDINGS}. */
  readonly findings: readonly Finding[];
}

/** How long a run is: so many inputs, or as many as fit in a time. */
export type Length = { readonly inputs: number } | { readonly milliseconds: number };

/**
 * An input that takes more of the processor's time is a finding: somebody could send it a thousand times a second. Time on
 * the wall would say how busy the machine is.
 */
export const MAX_INPUT_MS = 1000;
/** So much may stay in the heap: caches and compiled code. A leak of 100 bytes an input is far above it. */
export const MAX_GROWTH_BYTES = 16 << 20;
/** After so many the rest is more of the same. */
const MAX_FINDINGS = 5;
/** Compiling and collecting make any input slow once, but not so many times. */
const SECOND_LOOKS = 3;

/** Run a target. `onInput` is told the number of each input before it is fed. */
export async function fuzz(
  target: Target,
  options: {
    readonly seed: number;
    /** What one input may cost (default: {@link MAX_INPUT_MS}). */
    readonly maxInputMs?: number;
    readonly onInput?: (index: number) => void;
  } & Length,
): Promise<Tally> {
  const material = await materialOf(target);
  const findings: Finding[] = [];
  const started = performance.now();
  let longestMs = 0;
  let inputs = 0;
  let before = 0;
  for (; goesOn(options, inputs, started) && findings.length < MAX_FINDINGS; inputs++) {
    options.onInput?.(inputs);
    const input = makeInput(material, options.seed, inputs);
    const ms = await timed(target, input, { maxMs: options.maxInputMs ?? MAX_INPUT_MS, findings });
    longestMs = Math.max(longestMs, ms);
    // What is loaded and compiled with the first inputs is no growth.
    if (inputs === 200) before = heapBytes();
  }
  return { inputs, longestMs, grownBytes: before === 0 ? 0 : heapBytes() - before, findings };
}

/** What a target's inputs are made from. */
export async function materialOf(target: Target): Promise<Material> {
  const { words = [], long } = target;
  return { corpus: await target.corpus(), words, ...(long === undefined ? {} : { long }) };
}

/** Feed one input; a finding when it throws. */
export async function tryInput(target: Target, input: Uint8Array<ArrayBuffer>): Promise<Finding | undefined> {
  try {
    await target.read(input.slice());
    return undefined;
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.stack}` : messageOf(error);
    return { target: target.name, input, what };
  }
}

async function timed(
  target: Target,
  input: Uint8Array<ArrayBuffer>,
  { maxMs, findings }: { readonly maxMs: number; readonly findings: Finding[] },
): Promise<number> {
  let ms = Infinity;
  for (let look = 0; look < SECOND_LOOKS && ms > maxMs; look++) {
    const before = process.cpuUsage();
    const finding = await tryInput(target, input);
    const { user, system } = process.cpuUsage(before);
    ms = Math.min(ms, (user + system) / 1000);
    if (finding === undefined) continue;
    findings.push(finding);
    return ms;
  }
  if (ms > maxMs) findings.push({ target: target.name, input, what: `took ${ms.toFixed(0)} ms` });
  return ms;
}

function goesOn(options: Length, inputs: number, started: number): boolean {
  return "inputs" in options ? inputs < options.inputs : performance.now() - started < options.milliseconds;
}

/** Bytes in the heap that something still refers to. */
function heapBytes(): number {
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("The runtime does not let its memory be collected");
  collect();
  collect();
  return Deno.memoryUsage().heapUsed;
}
