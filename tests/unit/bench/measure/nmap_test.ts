import assert from "node:assert/strict";
import { portsLearnt } from "../../../../bench/measure/nmap.ts";

const OPEN = [22, 80, 8080];

Deno.test("portsLearnt counts what a scan tells apart", () => {
  const head = "Host: 10.77.0.1 ()\tPorts: ";
  const filtered = (port: number): string => `${port}/open|filtered/tcp//x///`;
  const cases: readonly { readonly what: string; readonly output: string; readonly learnt: number }[] = [
    {
      what: "open ports",
      output: `${head}22/open/tcp//ssh///, 80/open/tcp//http///\tIgnored State: closed (98)`,
      learnt: 2,
    },
    {
      what: "an open port that is not one of ours",
      output: `${head}23/open/tcp//telnet///\tIgnored State: closed (99)`,
      learnt: 0,
    },
    {
      what: "silent ports among closed ones",
      output: `${head}${OPEN.map(filtered).join(", ")}\tIgnored State: closed (97)`,
      learnt: 3,
    },
    { what: "everything silent", output: `${head.trim()}\tIgnored State: open|filtered (100)`, learnt: 0 },
    {
      what: "more silent ports than not",
      output: `${head}${Array.from({ length: 60 }, (_, i) => filtered(i + 1)).join(", ")}, ${filtered(80)}`,
      learnt: 0,
    },
    { what: "nothing", output: "# Nmap done: 1 IP address (0 hosts up)", learnt: 0 },
  ];
  for (const { what, output, learnt } of cases) {
    assert.equal(portsLearnt(output, { open: OPEN, scanned: 100 }), learnt, what);
  }
});
