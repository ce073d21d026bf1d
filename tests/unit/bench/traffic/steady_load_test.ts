/** The counters that the case of real traffic reads. @module */
import assert from "node:assert/strict";
import { tcpCounter } from "../../../../bench/traffic/steady_load.ts";

const SNMP =
  "Ip: Forwarding InReceives\nIp: 1 77\nTcp: RtoMin PassiveOpens InSegs\nTcp: 200 3 41\nUdp: InErrors\nUdp: 0\n";

Deno.test("tcpCounter() finds the number below a name", () => {
  assert.deepEqual(["PassiveOpens", "InSegs"].map((name) => tcpCounter(SNMP, name)), [3, 41]);
  assert.throws(() => tcpCounter(SNMP, "InErrors"), { message: "/proc/net/snmp has no counter InErrors" });
  assert.throws(() => tcpCounter("", "InSegs"), /no counter/);
});
