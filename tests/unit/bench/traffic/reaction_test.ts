import assert from "node:assert/strict";
import { reactionOf, type Seen } from "../../../../bench/traffic/reaction.ts";

const SCANNER = "10.78.0.100";
const SERVER = "10.77.0.1";

/** What the scanner sent. */
function asked(time: number, sourcePort: number, destPort: number, source = SCANNER): Seen {
  return { time, source, dest: SERVER, sourcePort, destPort };
}

/** What the server answered to it. */
function answered(time: number, port: number, scanner = SCANNER): Seen {
  return { time, source: SERVER, dest: scanner, sourcePort: 80, destPort: port };
}

const options = { scanner: SCANNER, openPort: 80 };

Deno.test("reactionOf gives the time to the first packet after the last answer", () => {
  const packets = [
    asked(1, 1, 80),
    answered(1.0001, 1),
    asked(1.001, 2, 11),
    asked(1.002, 3, 80),
    answered(1.0021, 3),
    asked(1.003, 4, 80),
    // A late answer still counts for the packet that it answers.
    asked(1.004, 5, 80),
    answered(1.0041, 4),
    asked(1.005, 6, 80),
  ];
  const { silentAfterMs, answered: count } = reactionOf(packets, options);
  assert.ok(Math.abs((silentAfterMs ?? 0) - 3) < 1e-6, `silent after ${silentAfterMs} ms`);
  assert.equal(count, 2);
});

Deno.test("reactionOf finds a scanner that is answered to the end", () => {
  const packets = [asked(1, 1, 11), asked(2, 2, 80), answered(2.1, 2)];
  assert.deepEqual(reactionOf(packets, options), { silentAfterMs: undefined, answered: 1 });
});

Deno.test("reactionOf keeps scanners apart", () => {
  const other = "10.78.0.101";
  const packets = [asked(1, 1, 11), asked(2, 2, 80), answered(2.1, 2, other), asked(2.2, 2, 80, other)];
  assert.deepEqual(reactionOf(packets, options), { silentAfterMs: 1000, answered: 0 });
});

Deno.test("reactionOf refuses a capture without the trapped packet", () => {
  assert.throws(() => reactionOf([asked(1, 1, 80)], options), /no trapped packet/);
});
