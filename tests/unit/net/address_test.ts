import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addressFromBytes,
  addressToBytes,
  familyOf,
  formatAddress,
  isLoopback,
  isMulticastOrBroadcast,
  isUnspecified,
  parseAddress,
  sameAddress,
} from "../../../src/net/address.ts";

const CANONICAL: Readonly<Record<string, string>> = {
  "0.0.0.0": "0.0.0.0",
  "255.255.255.255": "255.255.255.255",
  "192.0.2.1": "192.0.2.1",
  "::": "::",
  "::1": "::1",
  "1::": "1::",
  "2001:DB8::1": "2001:db8::1",
  "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
  "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
  "0:0:0:0:0:0:0:0": "::",
  "::ffff:192.0.2.1": "192.0.2.1",
  "::ffff:c000:201": "192.0.2.1",
  "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
};

const REJECTED = [
  "",
  " ",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1..2.3",
  "1.2.3.",
  "01.2.3.4",
  "0x1.2.3.4",
  " 1.2.3.4",
  "1.2.3.4 ",
  "1.2.3.256",
  "1.2.3.4/24",
  "1.2.3.-4",
  "1.2.3.4\n",
  ":",
  ":::",
  "1::2:",
  ":1::2",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "12345::",
  "g::",
  "[::1]",
  "fe80::1%eth0",
  "::1.2.3",
  "::1.2.3.4:5",
  "1.2.3.4::",
  "1:2:3:4:5:6:7:8::",
  "１.2.3.4",
];

Deno.test("parseAddress and formatAddress agree on the canonical form", () => {
  for (const [text, canonical] of Object.entries(CANONICAL)) {
    const address = parseAddress(text);
    assert.ok(address, text);
    assert.equal(formatAddress(address), canonical);
  }
});

Deno.test("parseAddress refuses everything that is not exactly an address", () => {
  for (const text of REJECTED) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

Deno.test("parseAddress never throws, and what it gives survives being written", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text);
      if (address === undefined) return;
      const again = parseAddress(formatAddress(address));
      assert.ok(again !== undefined && sameAddress(address, again));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("parseAddress understands every generated address, and its bytes give it back", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
    const address = parseAddress(text);
    assert.ok(address, text);
    assert.ok(sameAddress(addressFromBytes(addressToBytes(address), 0, familyOf(address)), address));
  }));
});

Deno.test("address predicates hold at their boundaries", () => {
  const table: readonly [string, boolean, boolean, boolean][] = [
    // address, loopback, unspecified, multicast or broadcast
    ["126.255.255.255", false, false, false],
    ["127.0.0.0", true, false, false],
    ["127.255.255.255", true, false, false],
    ["128.0.0.0", false, false, false],
    ["::1", true, false, false],
    ["::2", false, false, false],
    ["0.0.0.0", false, true, false],
    ["::", false, true, false],
    ["223.255.255.255", false, false, false],
    ["224.0.0.0", false, false, true],
    ["239.255.255.255", false, false, true],
    ["240.0.0.0", false, false, false],
    ["255.255.255.255", false, false, true],
    ["feff::", false, false, false],
    ["ff02::1", false, false, true],
  ];
  for (const [text, loopback, unspecified, multicast] of table) {
    const address = parseAddress(text);
    assert.ok(address, text);
    assert.equal(isLoopback(address), loopback, text);
    assert.equal(isUnspecified(address), unspecified, text);
    assert.equal(isMulticastOrBroadcast(address), multicast, text);
  }
});
