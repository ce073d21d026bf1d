/**
 * Runs one target in a thread of its own, so that an input on which it never ends can be ended from outside.
 *
 * Takes `{ target, seed, length, progress }`, writes the number of each input into `progress`, gives the tally.
 * @module
 */
import { fuzz } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

/** What {@link fuzzApart} sends. */
interface Order {
  readonly target: string;
  readonly seed: number;
  readonly length: { readonly inputs: number } | { readonly milliseconds: number };
  readonly progress: Int32Array<SharedArrayBuffer>;
}

// The types of this repository are those of the main thread; in here, `self` is the other end of its Worker.
const creator = self as unknown as Worker;
creator.addEventListener("message", (event: MessageEvent<Order>) => void carryOut(event.data));

async function carryOut({ target: name, seed, length, progress }: Order): Promise<void> {
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (target === undefined) throw new Error(`There is no target ${name}`);
  const tally = await fuzz(target, {
    ...length,
    seed,
    onInput: (index) => Atomics.store(progress, 0, index),
  });
  creator.postMessage(tally);
}
