import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress } from "../../../src/net/address.ts";
import { formatPrefix, parsePrefix, prefixContains, prefixKey, PrefixSet } from "../../../src/net/prefix.ts";

/** What is written → what it means (F4: PortSentry drops or misreads most of these). */
const UNDERSTOOD: Readonly<Record<string, string>> = {
  "10.77.0.99/24": "10.77.0.0/24",
  "10.77.0.1/255.255.255.0": "10.77.0.0/24",
  "10.77.0.1/255.255.255.255": "10.77.0.1",
  "10.77.0.1/0.0.0.0": "0.0.0.0/0",
  "0.0.0.0/0": "0.0.0.0/0",
  "10.77.0.1/32": "10.77.0.1",
  "10.77.0.1": "10.77.0.1",
  "2001:db8::1/64": "2001:db8::/64",
  "2001:db8::1/128": "2001:db8::1",
  "::/0": "::/0",
  "::ffff:192.0.2.77/120": "192.0.2.0/24",
  "::ffff:192.0.2.77": "192.0.2.77",
};

const REJECTED = [
  "",
  "/",
  "/24",
  "10.0.0.0/",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/08",
  "10.0.0.0/255.0.255.0",
  "::/129",
  "::1/255.0.0.0",
  "::ffff:1.2.3.4/95",
  "10.0.0.0/24/24",
  "10.0.0.0/::",
];

Deno.test("parsePrefix understands lengths, dotted netmasks and host bits (F4, C14)", () => {
  for (const [text, meaning] of Object.entries(UNDERSTOOD)) {
    const prefix = parsePrefix(text);
    assert.ok(prefix, text);
    assert.equal(formatPrefix(prefix), meaning, text);
  }
});

Deno.test("parsePrefix refuses what is no prefix", () => {
  for (const text of REJECTED) assert.equal(parsePrefix(text), undefined, text);
});

Deno.test("prefixContains holds at the edges of a prefix", () => {
  const table: readonly [string, string, boolean][] = [
    ["10.77.0.0/24", "10.77.0.0", true],
    ["10.77.0.0/24", "10.77.0.255", true],
    ["10.77.0.0/24", "10.77.1.0", false],
    ["10.77.0.0/24", "10.76.255.255", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "192.0.2.1", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
  ];
  for (const [prefix, address, expected] of table) {
    const parsed = parsePrefix(prefix);
    const host = parseAddress(address);
    assert.ok(parsed && host);
    assert.equal(prefixContains(parsed, host), expected, `${address} in ${prefix}`);
    assert.equal(new PrefixSet([parsed]).has(host), expected, `${address} in the set of ${prefix}`);
  }
});

Deno.test("PrefixSet.has agrees with asking every prefix", () => {
  const prefixText = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([a, l]) => `${a}/${l}`),
    fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([a, l]) => `${a}/${l}`),
  );
  fc.assert(
    fc.property(fc.array(prefixText, { maxLength: 20 }), fc.oneof(fc.ipV4(), fc.ipV6()), (texts, text) => {
      const prefixes = texts.map(parsePrefix).filter((prefix) => prefix !== undefined);
      const address = parseAddress(text);
      assert.ok(address);
      const expected = prefixes.some((prefix) => prefixContains(prefix, address));
      assert.equal(new PrefixSet(prefixes).has(address), expected);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("prefixKey is the same for two prefixes exactly when their texts are", () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom("::", "::1", "0.0.0.0", "0.0.0.1", "1:2:3:4::", "::1:2:3:4", "255.255.255.255"),
  );
  const prefix = fc.tuple(address, fc.option(fc.nat(128))).map(([text, length]) =>
    parsePrefix(length === null ? text : `${text}/${length}`)
  )
    .filter((it) => it !== undefined);
  fc.assert(
    fc.property(prefix, prefix, (a, b) => {
      assert.equal(prefixKey(a) === prefixKey(b), formatPrefix(a) === formatPrefix(b));
      assert.equal(prefixKey(a), prefixKey({ ...a, address: { ...a.address } }));
    }),
    { numRuns: 2000 },
  );
});
