import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePortList } from "../../../../src/config/portsentry/port_list.ts";

Deno.test("C2: parsePortList reads the numbers of 1.2 and the ranges of 2", () => {
  const rows: [value: string, ports: (number | string)[], notes: number][] = [
    ["1,11,15", [1, 11, 15], 0],
    ["1, 2 ,3", [1, 2, 3], 0],
    ["1,,2,", [1, 2], 0],
    ["512-515,540", ["512-515", 540], 0],
    ["2000-2000", [2000], 0],
    ["0,65535", [0, 65535], 0],
    ["", [], 0],
    ["65536", [], 1],
    ["9-5", [], 1],
    ["abc,7", [7], 1],
    ["-5", [], 1],
    // atoi(3) reads the number that a text begins with.
    ["80x", [80], 1],
    ["+80", [80], 1],
    ["007", [7], 0],
    ["1.5", [1], 1],
  ];
  for (const [value, ports, notes] of rows) {
    const list = parsePortList(value);
    assert.deepEqual(list.ports, ports, value);
    assert.equal(list.notes.length, notes, `${value}: ${list.notes.join("; ")}`);
    assert.equal(list.hasRanges, ports.some((port) => typeof port === "string"), value);
  }
});

Deno.test("F16, F25: parsePortList takes any number of ports and leaves out what is none, and says so", () => {
  const list = parsePortList(Array.from({ length: 200 }, (_, index) => index + 1).join(","));
  assert.equal(list.ports.length, 200);
  assert.deepEqual(list.notes, ["all 200 ports are taken; PortSentry 1.2 has room for 64"]);
  assert.deepEqual(parsePortList("abc"), {
    ports: [],
    hasRanges: false,
    notes: ['"abc" is no port and is left out'],
  });
});

Deno.test("parsePortList gives only ports, whatever the text", () => {
  const text = fc.array(fc.constantFrom("1", "65535", "9", "-", ",", " ", "x", "+", "0")).map((all) =>
    all.join("")
  );
  fc.assert(fc.property(text, (value) => {
    for (const port of parsePortList(value).ports) assert.match(String(port), /^\d{1,5}(?:-\d{1,5})?$/);
  }));
});
