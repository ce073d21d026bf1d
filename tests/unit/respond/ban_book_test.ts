import assert from "node:assert/strict";
import fc from "fast-check";
import { ipv4Address, parseAddress } from "../../../src/net/address.ts";
import { hostPrefix } from "../../../src/net/prefix.ts";
import { BanBook } from "../../../src/respond/ban_book.ts";
import { prefix } from "../../lab/addresses.ts";

function has(book: BanBook, text: string): boolean {
  const address = parseAddress(text);
  assert.ok(address, text);
  return book.has(address);
}

Deno.test("BanBook.has compares whole addresses, not parts of their text (F5)", () => {
  const book = new BanBook();
  book.add({ target: prefix("110.77.0.1"), until: Infinity });
  assert.equal(has(book, "110.77.0.1"), true);
  assert.equal(has(book, "10.77.0.1"), false);
  assert.equal(has(book, "110.77.0.10"), false);
  assert.equal(has(book, "::ffff:110.77.0.1"), true);
});

Deno.test("BanBook.has finds an address within a banned prefix", () => {
  const book = new BanBook();
  book.add({ target: prefix("2001:db8::/32"), until: Infinity });
  assert.equal(has(book, "2001:db8:1::7"), true);
  assert.equal(has(book, "2001:db9::7"), false);
  assert.equal(book.remove(prefix("2001:db8::/32")), true);
  assert.equal(has(book, "2001:db8:1::7"), false);
});

Deno.test("BanBook.takeDue gives a ban once, at its end and not before", () => {
  const book = new BanBook();
  book.add({ target: prefix("192.0.2.1"), until: 100 });
  assert.deepEqual(book.takeDue(99.9, 10), []);
  assert.equal(book.takeDue(100, 10).length, 1);
  assert.deepEqual(book.takeDue(200, 10), []);
  assert.equal(book.size, 0);
});

Deno.test("BanBook.takeDue follows a ban that was renewed", () => {
  const book = new BanBook();
  book.add({ target: prefix("192.0.2.1"), until: 100 });
  book.add({ target: prefix("192.0.2.1"), until: 300 });
  assert.deepEqual(book.takeDue(200, 10), []);
  assert.equal(has(book, "192.0.2.1"), true);
  assert.equal(book.takeDue(300, 10).length, 1);
});

Deno.test("BanBook agrees with a plain map after any sequence of additions, removals and expiries", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), host: fc.nat(20), until: fc.nat(1000) }),
    fc.record({ kind: fc.constant("remove" as const), host: fc.nat(20) }),
    fc.record({ kind: fc.constant("expire" as const), by: fc.nat(200) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const book = new BanBook();
    const model = new Map<number, number>();
    let now = 0;
    for (const action of steps) {
      if (action.kind === "expire") {
        now += action.by;
        const due = book.takeDue(now, Infinity).map((ban) => ban.target.address.w3).sort((a, b) => a - b);
        const expected = [...model].filter(([, until]) => until <= now).map(([host]) => host).sort((a, b) =>
          a - b
        );
        assert.deepEqual(due, expected);
        expected.forEach((host) => model.delete(host));
      } else if (action.kind === "add") {
        book.add({ target: hostPrefix(ipv4Address(action.host)), until: now + action.until });
        model.set(action.host, now + action.until);
      } else {
        assert.equal(book.remove(hostPrefix(ipv4Address(action.host))), model.delete(action.host));
      }
      assert.equal(book.size, model.size);
    }
    for (let host = 0; host <= 20; host++) assert.equal(book.has(ipv4Address(host)), model.has(host));
  }));
});
