/** Which sources are listed first. @module */
import assert from "node:assert/strict";
import { busiest } from "../../../src/control/overview.ts";
import { ipv4Address } from "../../../src/net/address.ts";

Deno.test("busiest() finds the fifty with the most ports, then probes, then the latest, among any number", () => {
  const many = Array.from({ length: 12_345 }, (_, i) => ({
    source: ipv4Address(i + 1),
    // Each value of each often, and in no order.
    ports: (i * 7919) % 101,
    probes: (i * 104_729) % 11,
    lastSeen: i,
  }));
  const sorted = many.toSorted((a, b) => b.ports - a.ports || b.probes - a.probes || b.lastSeen - a.lastSeen);
  assert.deepEqual(busiest(many), sorted.slice(0, 50));
  assert.deepEqual(busiest(many.slice(0, 3)).length, 3);
});
