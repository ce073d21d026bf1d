/** Prefixes as intervals: nothing is lost or added, nothing overlaps. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { familyOf, ipv4Address } from "../../../../src/net/address.ts";
import { formatPrefix, prefixOf } from "../../../../src/net/prefix.ts";
import {
  intervalElement,
  intervalOf,
  intervalText,
  layIntervals,
  mergeIntervals,
  prefixesOf,
  readIntervals,
} from "../../../../src/respond/nftables/interval.ts";
import { prefix } from "../../../lab/addresses.ts";

const MERGES: readonly [string, readonly string[], readonly string[]][] = [
  ["nothing", [], []],
  ["the same twice", ["192.0.2.1", "192.0.2.1"], ["192.0.2.1"]],
  ["one in the other", ["192.0.2.0/24", "192.0.2.128/25"], ["192.0.2.0-192.0.2.255"]],
  ["neighbours", ["192.0.3.0/24", "192.0.2.0/24"], ["192.0.2.0-192.0.3.255"]],
  ["strangers", ["192.0.2.0/24", "192.0.4.1"], ["192.0.2.0-192.0.2.255", "192.0.4.1"]],
  ["everything", ["0.0.0.0/0", "10.0.0.0/8"], ["0.0.0.0-255.255.255.255"]],
  ["IPv6", ["2001:db8::/127", "2001:db8::2"], ["2001:db8::-2001:db8::2"]],
  ["the end of IPv6", ["ffff::/16"], ["ffff::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]],
];

for (const [what, given, expected] of MERGES) {
  Deno.test(`mergeIntervals and intervalText: ${what}`, () => {
    const prefixes = given.map(prefix);
    const family = prefixes[0] === undefined ? 4 : familyOf(prefixes[0].address);
    const merged = mergeIntervals(prefixes.map(intervalOf));
    assert.deepEqual(merged.map((interval) => intervalText(interval, family)), expected);
  });
}

Deno.test("intervalElement leaves out the end of an interval behind which there is no address", () => {
  assert.deepEqual(intervalElement(intervalOf(prefix("10.0.0.0/8")), 4), {
    key: Uint8Array.of(10, 0, 0, 0),
    end: Uint8Array.of(11, 0, 0, 0),
  });
  assert.deepEqual(intervalElement(intervalOf(prefix("255.0.0.0/8")), 4), {
    key: Uint8Array.of(255, 0, 0, 0),
  });
  assert.equal(intervalElement(intervalOf(prefix("ff00::/8")), 6).end, undefined);
});

const LAYS: readonly [string, readonly [string, number][], readonly string[]][] = [
  ["one inside that ends later", [["10.0.0.0/8", 5], ["10.1.0.0/16", 9]], [
    "10.0.0.0-10.0.255.255 5",
    "10.1.0.0-10.1.255.255 9",
    "10.2.0.0-10.255.255.255 5",
  ]],
  ["one inside that ends sooner", [["10.0.0.0/8", 9], ["10.1.0.0/16", 5]], ["10.0.0.0-10.255.255.255 9"]],
  ["neighbours that end together", [["10.0.0.0/9", 5], ["10.128.0.0/9", 5]], ["10.0.0.0-10.255.255.255 5"]],
  ["neighbours that do not", [["10.0.0.0/9", 5], ["10.128.0.0/9", Infinity]], [
    "10.0.0.0-10.127.255.255 5",
    "10.128.0.0-10.255.255.255 Infinity",
  ]],
  ["a gap", [["10.0.0.0/16", 5], ["10.2.0.0/16", 5]], ["10.0.0.0-10.0.255.255 5", "10.2.0.0-10.2.255.255 5"]],
];

for (const [what, given, expected] of LAYS) {
  Deno.test(`layIntervals: ${what}`, () => {
    const laid = layIntervals(given.map(([text, until]) => ({ ...intervalOf(prefix(text)), until })));
    assert.deepEqual(laid.map((interval) => `${intervalText(interval, 4)} ${interval.until}`), expected);
  });
}

const v4 = fc.record({ bits: fc.nat(0xffffffff), length: fc.integer({ min: 20, max: 32 }) })
  .map(({ bits, length }) => prefixOf(ipv4Address((bits & 0x3fff) + 0xffffc000), length));

Deno.test("layIntervals never overlaps and gives each address its latest end", () => {
  fc.assert(fc.property(fc.array(fc.tuple(v4, fc.integer({ min: 1, max: 9 })), { maxLength: 12 }), (bans) => {
    const given = bans.map(([target, until]) => ({ ...intervalOf(target), until }));
    const laid = layIntervals(given);
    laid.slice(1).forEach((interval, i) => assert.ok(interval.first >= (laid[i]?.end ?? 0n)));
    for (const at of given.flatMap(({ first, end }) => [first, end - 1n])) {
      const expected = Math.max(...given.filter((it) => it.first <= at && at < it.end).map((it) => it.until));
      assert.equal(laid.find((it) => it.first <= at && at < it.end)?.until, expected);
    }
  }));
});

Deno.test("prefixesOf gives back a prefix, and for any interval prefixes that make it up", () => {
  for (
    const text of ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1", "255.255.255.255", "::/0", "2001:db8::/32", "::1"]
  ) {
    const of = prefix(text);
    assert.deepEqual(prefixesOf(intervalOf(of), familyOf(of.address)).map(formatPrefix), [formatPrefix(of)]);
  }
  fc.assert(fc.property(fc.nat(0xffff), fc.integer({ min: 1, max: 0xffff }), (first, size) => {
    const interval = { first: BigInt(first), end: BigInt(first + size) };
    const pieces = prefixesOf(interval, 4).map(intervalOf);
    assert.deepEqual(mergeIntervals(pieces), [interval]);
    assert.equal(pieces.reduce((sum, it) => sum + (it.end - it.first), 0n), BigInt(size));
  }));
});

Deno.test("readIntervals reads what intervalElement made, in whatever order the kernel lists it", () => {
  const starts = fc.uniqueArray(fc.nat(0xffff), { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(starts, fc.boolean(), fc.nat(), (numbers, toTheEnd, turn) => {
    const borders = [...numbers].sort((a, b) => a - b).map(BigInt);
    const intervals = borders.flatMap((first, i) => {
      const end = borders[i + 1] ?? (toTheEnd ? 1n << 32n : first + 1n);
      return [{ first, end, until: i === 0 ? Infinity : i }];
    });
    const listed = intervals.flatMap(({ until, ...interval }) => {
      const { key, end } = intervalElement(interval, 4);
      const remainingMs = until === Infinity ? undefined : until;
      return [
        { key: key.slice(), isEnd: false, remainingMs },
        ...(end === undefined ? [] : [{ key: end.slice(), isEnd: true, remainingMs: undefined }]),
      ];
    });
    const turned = listed.map((_, i) => listed[(i + turn) % listed.length]).filter((it) => it !== undefined);
    assert.deepEqual(readIntervals(turned, 4), intervals);
  }));
});

Deno.test("readIntervals passes over the end that nft puts before the first interval", () => {
  const zero = { key: new Uint8Array(4), isEnd: true, remainingMs: undefined };
  const start = { key: Uint8Array.of(10, 0, 0, 0), isEnd: false, remainingMs: 7 };
  const end = { key: Uint8Array.of(11, 0, 0, 0), isEnd: true, remainingMs: undefined };
  assert.deepEqual(readIntervals([end, start, zero], 4), [{ ...intervalOf(prefix("10.0.0.0/8")), until: 7 }]);
});
