import assert from "node:assert/strict";
import { gigabits } from "../../../../bench/measure/iperf3.ts";

Deno.test("gigabits is what arrived, as iperf3 says", () => {
  const report = { end: { sum_sent: { bits_per_second: 2e10 }, sum_received: { bits_per_second: 1.9e10 } } };
  assert.equal(gigabits(JSON.stringify(report)), 19);
});

Deno.test("gigabits refuses a report of a failed transfer", () => {
  assert.throws(() => gigabits('{"error":"unable to connect to server"}'), /measured nothing/);
});
