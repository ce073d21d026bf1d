import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePortRange, PortSet } from "../../../src/net/ports.ts";

Deno.test("parsePortRange takes ports and ranges, and nothing else", () => {
  const table: Readonly<Record<string, readonly [number, number] | undefined>> = {
    "0": [0, 0],
    "80": [80, 80],
    "65535": [65535, 65535],
    "65536": undefined,
    "5-11": [5, 11],
    "7-7": [7, 7],
    "11-5": undefined,
    "5-65536": undefined,
    "": undefined,
    "-5": undefined,
    "5-": undefined,
    " 5": undefined,
    "5,6": undefined,
    "0x50": undefined,
    "http": undefined,
  };
  for (const [text, expected] of Object.entries(table)) {
    const range = parsePortRange(text);
    assert.deepEqual(range && [range.first, range.last], expected, JSON.stringify(text));
  }
});

Deno.test("PortSet.ranges are sorted, disjoint and not adjacent", () => {
  const set = new PortSet([{ first: 10, last: 12 }, { first: 13, last: 13 }, { first: 0, last: 0 }, {
    first: 11,
    last: 20,
  }]);
  assert.equal(set.toString(), "0,10-20");
  assert.equal(set.size, 12);
});

Deno.test("PortSet agrees with a plain set under without", () => {
  const ports = fc.array(fc.integer({ min: 0, max: 65535 }), { maxLength: 50 });
  fc.assert(
    fc.property(ports, ports, (a, b) => {
      const rest = PortSet.of(...a).without(PortSet.of(...b));
      for (const port of [...a, ...b]) assert.equal(rest.has(port), a.includes(port) && !b.includes(port));
      assert.equal(rest.size, new Set(a).difference(new Set(b)).size);
    }),
    { numRuns: 30 },
  );
});
