/** AddressMap against the obvious map. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AddressMap } from "../../../src/host/address_map.ts";
import { addressKey, addressOf } from "../../../src/net/address.ts";

Deno.test("AddressMap holds what a map by text would hold", () => {
  // Few different words, so that many addresses share some of them.
  const word = fc.constantFrom(0, 1, 0xffff, 0xffffffff, 0x0a4d0001);
  const address = fc.tuple(word, word, word, word).map(addressOf);
  fc.assert(fc.property(fc.array(fc.tuple(address, fc.nat(9))), address, (pairs, absent) => {
    const map = new AddressMap<number>();
    const model = new Map<string, number>();
    for (const [key, value] of pairs) {
      map.set(key, value);
      model.set(addressKey(key), value);
    }
    assert.equal(map.size, model.size);
    assert.deepEqual(
      new Map([...map.entries()].map((entry) => [addressKey(entry.address), entry.value])),
      model,
    );
    for (const [key] of [...pairs, [absent, 0] as const]) {
      assert.equal(map.get(key), model.get(addressKey(key)));
      assert.equal(map.has(key), model.has(addressKey(key)));
    }
  }));
});
