import assert from "node:assert/strict";
import { allowedCpus, pinned } from "../../../../bench/measure/cpus.ts";

Deno.test("allowedCpus reads the kernel's list of ranges", () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ["0-1", [0, 1]],
    ["3", [3]],
    ["0,2-4,7", [0, 2, 3, 4, 7]],
  ];
  for (const [list, cpus] of cases) {
    assert.deepEqual(
      allowedCpus(`Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems:\t1\n`),
      cpus,
    );
  }
  assert.deepEqual(allowedCpus("Name:\tx\n"), []);
});

Deno.test("pinned keeps a command to a processor that this process may use", () => {
  const cpus = allowedCpus(Deno.readTextFileSync("/proc/self/status"));
  const [program, option, cpu, ...rest] = pinned("client", ["true"]);
  assert.deepEqual([program, option, rest], ["taskset", "-c", ["true"]]);
  assert.ok(cpus.includes(Number(cpu)), `${cpu} is none of ${cpus}`);
});
