import assert from "node:assert/strict";
import { requestsPerSecond } from "../../../../bench/measure/wrk.ts";

Deno.test("requestsPerSecond reads wrk's line and no other", () => {
  const output = "  1 threads and 16 connections\n    Req/Sec    11.59k     1.62k   14.67k    65.00%\n" +
    "  23088 requests in 2.00s, 3.28MB read\nRequests/sec:  11517.79\nTransfer/sec:      1.64MB\n";
  assert.equal(requestsPerSecond(output), 11517.79);
  assert.throws(() => requestsPerSecond("unable to connect"), /measured nothing/);
});
