/**
 * Runs targets in threads of their own with somebody who watches that they go on, and keeps what they find.
 * @module
 */
import { type Finding, type Length, materialOf, type Tally } from "./fuzzer.ts";
import { makeInput } from "./mutator.ts";
import type { Target } from "./targets.ts";

/** A target that has not begun its next input after so long hangs. */
const HANGS_MS = 30_000;
const LOOK_MS = 250;

/** Run a target; an input on which it hangs is a finding like any other. */
export async function fuzzApart(
  target: Target,
  options: { readonly seed: number; readonly length: Length },
): Promise<Tally> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const ended = Promise.withResolvers<Tally>();
  worker.addEventListener("message", (event: MessageEvent<Tally>) => ended.resolve(event.data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    ended.reject(new Error(`${target.name}: ${event.message}`));
  });
  const stuck = watch(progress, (index) => {
    hanging(target, { seed: options.seed, index }).then(ended.resolve, ended.reject);
  });
  try {
    worker.postMessage({ target: target.name, ...options, progress });
    return await ended.promise;
  } finally {
    clearInterval(stuck);
    worker.terminate();
  }
}

/** Where the inputs of a target that failed once are kept. */
export function regressionsOf(target: Pick<Target, "name">): URL {
  return new URL(`./regressions/${target.name}/`, import.meta.url);
}

/** Keep an input that failed, so that it is tried first from now on. */
export async function keep(finding: Finding): Promise<string> {
  const folder = regressionsOf({ name: finding.target });
  await Deno.mkdir(folder, { recursive: true });
  const digest = await crypto.subtle.digest("SHA-256", finding.input);
  const file = new URL(`${new Uint8Array(digest).toHex().slice(0, 16)}.bin`, folder);
  await Deno.writeFile(file, finding.input);
  return file.pathname;
}

function watch(
  progress: Int32Array<SharedArrayBuffer>,
  onStuck: (index: number) => void,
): ReturnType<typeof setInterval> {
  let last = -1;
  let since = performance.now();
  return setInterval(() => {
    const index = Atomics.load(progress, 0);
    if (index !== last) [last, since] = [index, performance.now()];
    if (performance.now() - since > HANGS_MS) onStuck(index);
  }, LOOK_MS);
}

async function hanging(
  target: Target,
  at: { readonly seed: number; readonly index: number },
): Promise<Tally> {
  const input = makeInput(await materialOf(target), at.seed, at.index);
  const finding = { target: target.name, input, what: `did not end within ${HANGS_MS / 1000} seconds` };
  return { inputs: at.index, longestMs: HANGS_MS, grownBytes: 0, findings: [finding] };
}
