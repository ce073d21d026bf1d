/**
 * Fuzzes every reader for as many seconds in all as the first argument says (default: 600), with the seed that the second
 * one names (default: another one each time). An input that fails is kept under tests/fuzz/regressions.
 */
import { fuzzApart, keep } from "../tests/fuzz/apart.ts";
import { MAX_GROWTH_BYTES, type Tally } from "../tests/fuzz/fuzzer.ts";
import { type Target, TARGETS } from "../tests/fuzz/targets.ts";

const DEFAULT_SECONDS = 600;

async function run(target: Target, milliseconds: number, seed: number): Promise<Tally> {
  const tally = await fuzzApart(target, { seed, length: { milliseconds } });
  const { inputs, longestMs, grownBytes, findings } = tally;
  console.log(
    `${target.name.padEnd(16)} ${String(inputs).padStart(9)} inputs  longest ${
      longestMs.toFixed(1).padStart(6)
    } ms  ` +
      `grown ${(grownBytes / 1024).toFixed(0).padStart(6)} KiB  ${findings.length} findings`,
  );
  for (const finding of findings) console.log(`  ${await keep(finding)}\n  ${finding.what}`);
  return tally;
}

async function main(): Promise<number> {
  const seconds = Number(Deno.args[0] ?? DEFAULT_SECONDS);
  const seed = Number(Deno.args[1] ?? Date.now() % 1_000_000);
  if (!(seconds > 0) || !Number.isInteger(seed)) {
    console.error('fuzz: usage: make fuzz ARGS="[SECONDS [SEED]]"');
    return 64;
  }
  console.log(`seed ${seed}, ${TARGETS.length} targets, ${seconds} s in all`);
  let inputs = 0;
  let failed = 0;
  for (const target of TARGETS) {
    const tally = await run(target, seconds * 1000 / TARGETS.length, seed);
    inputs += tally.inputs;
    failed += tally.findings.length + (tally.grownBytes > MAX_GROWTH_BYTES ? 1 : 0);
  }
  console.log(`${inputs} inputs, ${failed} failures`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
