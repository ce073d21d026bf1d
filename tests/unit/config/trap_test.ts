import assert from "node:assert/strict";
import { configSchema } from "../../../src/config/schema.ts";
import { trapOf } from "../../../src/config/trap.ts";

Deno.test("trapOf traps the ports that the mode of each protocol asks for", () => {
  const rows: [file: unknown, tcp: string, udp: string, sctp: string][] = [
    [{}, "0-112,114-138,140-1023", "0-66,69-136,139-519,521-1023", "0-112,114-138,140-1023"],
    [{ tcp: { mode: "off" }, udp: { mode: "connect" } }, "", "", ""],
    [
      { tcp: { mode: "stealth", ports: [7, "9-11"], exclude: [9] }, udp: { mode: "off" } },
      "7,9-11",
      "",
      "7,9-11",
    ],
    [
      {
        tcp: { advanced_below: 3, exclude: [1] },
        udp: { advanced_below: 1, exclude: [] },
        detect: { sctp: false },
      },
      "0,2",
      "0",
      "",
    ],
    [{ tcp: { advanced_below: 65536, exclude: ["1-65535"] }, udp: { mode: "off" } }, "0", "", "0"],
  ];
  for (const [file, tcp, udp, sctp] of rows) {
    const trap = trapOf(configSchema(() => undefined).parse(file));
    assert.deepEqual([trap.tcp, trap.udp, trap.sctp].map(String), [tcp, udp, sctp], JSON.stringify(file));
  }
});

Deno.test("C19, F14: trapOf in mode advanced never traps a port at or above the limit, nor an excluded one", () => {
  const { tcp } = trapOf(configSchema(() => undefined).parse({ tcp: { exclude: [] } }));
  assert.deepEqual([tcp.has(1023), tcp.has(1024), tcp.has(8080), tcp.size], [true, false, false, 1024]);
  assert.equal(trapOf(configSchema(() => undefined).parse({})).tcp.has(113), false);
});
