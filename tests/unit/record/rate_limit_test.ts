/**
 * A scanner fills no log.
 * @module
 */
import assert from "node:assert/strict";
import { LineLimiter, suppressedText } from "../../../src/record/rate_limit.ts";

function allow(limiter: LineLimiter, source: string, port: number, nowMs: number): boolean {
  return limiter.allow({ source, port, lines: 1 }, nowMs);
}

Deno.test("LineLimiter lets a source's first lines through and sums up the rest, then starts anew", () => {
  const limiter = new LineLimiter({ burst: 3, intervalSeconds: 60 });
  const allowed = Array.from({ length: 10 }, (_, port) => allow(limiter, "a", port, port));
  assert.deepEqual(allowed, [true, true, true, ...Array<boolean>(7).fill(false)]);
  assert.equal(allow(limiter, "a", 9, 59_999), false);
  assert.deepEqual(limiter.takeDue(59_999), []);
  assert.deepEqual(limiter.takeDue(60_000), [{ source: "a", probes: 8, ports: 7, seconds: 60 }]);
  assert.deepEqual(limiter.takeDue(60_000), []);
  assert.equal(allow(limiter, "a", 1, 60_001), true);
});

Deno.test("LineLimiter counts sources apart and says nothing of one that kept within its lines", () => {
  const limiter = new LineLimiter({ burst: 2, intervalSeconds: 1 });
  for (const source of ["a", "b", "c"]) assert.equal(allow(limiter, source, 1, 0), true);
  for (const source of ["b", "b"]) allow(limiter, source, 2, 500);
  assert.deepEqual(limiter.takeDue(1000), [{ source: "b", probes: 1, ports: 1, seconds: 1 }]);
});

Deno.test("LineLimiter keeps lines and memory within bounds under a flood with forged sources", () => {
  const limiter = new LineLimiter({ burst: 5, intervalSeconds: 60 });
  let written = 0;
  for (let i = 0; i < 100_000; i++) if (allow(limiter, `source ${i}`, i, 0)) written++;
  assert.equal(written, 500);
  assert.equal(limiter.size, 500);
  const due = limiter.takeDue(60_000);
  assert.deepEqual(due, [{ source: undefined, probes: 99_500, ports: 1024, seconds: 60 }]);
  assert.equal(limiter.size, 0);
});

Deno.test("LineLimiter.takeAll gives what was not yet due", () => {
  const limiter = new LineLimiter({ burst: 1, intervalSeconds: 60 });
  allow(limiter, "a", 1, 0);
  allow(limiter, "a", 2, 1);
  assert.deepEqual(limiter.takeAll(), [{ source: "a", probes: 1, ports: 1, seconds: 60 }]);
});

Deno.test("suppressedText puts the summary in words", () => {
  const rows: readonly [Parameters<typeof suppressedText>[0], string][] = [
    [
      { source: "10.77.0.1", probes: 980, ports: 970, seconds: 60 },
      "980 more probes from 10.77.0.1 on 970 ports in the last 60 s",
    ],
    [
      { source: "fd77::1", probes: 1, ports: 1, seconds: 60 },
      "1 more probe from fd77::1 on 1 port in the last 60 s",
    ],
    [
      { source: undefined, probes: 99_500, ports: 1024, seconds: 60 },
      "99500 more probes from other sources on at least 1024 ports in the last 60 s",
    ],
  ];
  for (const [suppressed, text] of rows) assert.equal(suppressedText(suppressed), `attackalert: ${text}`);
});
