/** The plan: what the kernel does about a source by itself. @module */
import assert from "node:assert/strict";
import { plan } from "./plans.ts";

const CASES: readonly [string, unknown, { readonly tcp: string; readonly udp: string }][] = [
  ["nothing by default", {}, { tcp: "none", udp: "none" }],
  ["quarantine for the protocol that blocks", { tcp: { response: "block" } }, {
    tcp: "quarantine",
    udp: "none",
  }],
  ["nothing for response command", { udp: { response: "command" } }, { tcp: "none", udp: "none" }],
  ["a ban with scan_trigger 1", { udp: { response: "block" }, detect: { scan_trigger: 1 } }, {
    tcp: "none",
    udp: "ban",
  }],
  ["nothing without a quarantine", { tcp: { response: "block" }, block: { quarantine: "0s" } }, {
    tcp: "none",
    udp: "none",
  }],
];

for (const [what, file, seizures] of CASES) {
  Deno.test(`rulesetPlan: the kernel does ${what}`, () => {
    const { trap } = plan(file);
    assert.deepEqual({ tcp: trap?.tcp, udp: trap?.udp }, seizures);
  });
}

Deno.test("rulesetPlan has no trap when another engine looks at packets", () => {
  assert.equal(plan({ tcp: { response: "block" } }, { engine: "raw" }).trap, undefined);
});

Deno.test("rulesetPlan lets a ban of the kernel's own making run out soon, whatever bans last", () => {
  assert.equal(plan({ block: { duration: "permanent" } }).provisionalSeconds, 60);
  assert.equal(plan({ block: { duration: "10s" } }).provisionalSeconds, 10);
});
