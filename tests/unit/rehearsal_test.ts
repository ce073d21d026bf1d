/** The packets that go the whole way before there are any. @module */
import assert from "node:assert/strict";
import { defaultConfig } from "../../src/config/schema.ts";
import { trapOf } from "../../src/config/trap.ts";
import { formatAddress } from "../../src/net/address.ts";
import { PortSet } from "../../src/net/ports.ts";
import { rehearse } from "../../src/rehearsal.ts";

const FACTS = {
  isOwn: () => false,
  isForUs: () => assert.fail("no address of this host has anything to do with it"),
  isClientPort: () => false,
  inGrace: () => false,
  isServed: () => false,
  isIgnored: () => false,
  protectedReason: () => undefined,
  isBlocked: () => false,
};

Deno.test("rehearse() takes a source that nobody has through quarantine and ban", () => {
  const config = defaultConfig();
  const asked = new Set<string>();
  const acted: string[] = [];
  rehearse({
    config: { ...config, tcp: { ...config.tcp, response: "block" } },
    trap: trapOf(config),
    facts: FACTS,
    confirm: (decision) => {
      asked.add(decision.verdict);
      return decision;
    },
    act: (source) => acted.push(formatAddress(source)),
  });
  assert.deepEqual([...asked], ["block"]);
  assert.deepEqual(acted, new Array(6).fill("192.0.2.1"));
});

Deno.test("rehearse() is content with a trap that holds nothing", () => {
  const none = new PortSet();
  rehearse({
    config: defaultConfig(),
    trap: { tcp: none, udp: none, sctp: none, icmp: false },
    facts: FACTS,
    confirm: () => assert.fail("nothing to confirm"),
    act: () => assert.fail("nothing to do"),
  });
});
