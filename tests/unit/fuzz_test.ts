/** A short run of the fuzzer with a fixed seed, and every input that ever failed. @module */
import assert from "node:assert/strict";
import process from "node:process";
import { fuzzApart, regressionsOf } from "../fuzz/apart.ts";
import { fuzz, MAX_GROWTH_BYTES, tryInput } from "../fuzz/fuzzer.ts";
import { makeInput } from "../fuzz/mutator.ts";
import { TARGETS } from "../fuzz/targets.ts";

const SEED = 8;
const INPUTS = 3000;
const MAX_MS = 10;

for (const target of TARGETS) {
  Deno.test(`fuzz: ${target.name} stands what is made of good input`, async () => {
    const inputs = Math.ceil(INPUTS / (target.rarer ?? 1));
    const tally = await fuzzApart(target, { seed: SEED, length: { inputs } });
    assert.deepEqual(tally.findings.map(({ what }) => what), []);
    assert.equal(tally.inputs, inputs);
    assert.ok(tally.grownBytes < MAX_GROWTH_BYTES, `${tally.grownBytes} bytes stay in the heap`);
  });
}

Deno.test("fuzz: inputs that failed once are stood now", async () => {
  for (const target of TARGETS) {
    const folder = regressionsOf(target);
    for (const name of await namesIn(folder)) {
      const finding = await tryInput(target, await Deno.readFile(new URL(name, folder)));
      assert.equal(finding?.what, undefined, `${target.name}/${name}`);
    }
  }
});

Deno.test("fuzz: an input can be made again from its seed and number", () => {
  const material = { corpus: [new TextEncoder().encode("host = 192.0.2.1")], words: ["["] };
  const made = (seed: number) => Array.from({ length: 200 }, (_, index) => makeInput(material, seed, index));
  assert.deepEqual(made(1), made(1));
  assert.notDeepEqual(made(1), made(2));
  assert.ok(new Set(made(1).map(String)).size > 150, "inputs repeat");
});

Deno.test("fuzz: what throws, what is slow and what grows is found", async () => {
  const corpus = () => [new TextEncoder().encode("good")];
  const throwing = await fuzz(
    { name: "throwing", corpus, read: (input) => assert.notEqual(input[0], 0) },
    { seed: SEED, inputs: 20_000 },
  );
  assert.ok(throwing.findings.length > 0);
  assert.equal(throwing.findings[0]?.input[0], 0);
  const slow = await fuzz(
    { name: "slow", corpus, read: spend },
    { seed: SEED, inputs: 1, maxInputMs: MAX_MS },
  );
  assert.match(slow.findings[0]?.what ?? "", /^took \d+ ms$/);
  const hoard: Uint8Array[][] = [];
  const growing = await fuzz(
    {
      name: "growing",
      corpus,
      read: (input) => void hoard.push(Array.from({ length: 50 }, () => input.slice())),
    },
    { seed: SEED, inputs: 5000 },
  );
  assert.ok(growing.grownBytes > MAX_GROWTH_BYTES, `${growing.grownBytes} bytes of ${hoard.length} inputs`);
});

/** Takes more of the processor's time than that test lets an input take. */
function spend(): void {
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user < MAX_MS * 2000) continue;
}

async function namesIn(folder: URL): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.toSorted();
}
