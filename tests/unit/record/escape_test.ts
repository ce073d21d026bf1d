/**
 * Names and messages from outside cannot forge a line.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { escapeLine, escapeName } from "../../../src/record/escape.ts";

Deno.test("escapeName keeps what a host name is made of and writes the rest as in a zone file", () => {
  const rows: readonly [string, string][] = [
    ["scanner.example.net", "scanner.example.net"],
    ["a_b-c.EXAMPLE", "a_b-c.EXAMPLE"],
    ["x/8.8.8.8", "x\\0478.8.8.8"],
    ["a b", "a\\032b"],
    ["a\nb\tc", "a\\010b\\009c"],
    ["ä", "\\195\\164"],
    ["\\", "\\092"],
    ["\\047", "\\047"],
    ["\\999", "\\092999"],
    ["", ""],
  ];
  for (const [name, written] of rows) assert.equal(escapeName(name), written, name);
});

Deno.test("escapeName gives no more than 255 characters' worth of a longer name", () => {
  assert.equal(escapeName("a".repeat(4000)), "a".repeat(255));
  assert.equal(escapeName("\n".repeat(4000)), "\\010".repeat(255));
});

Deno.test("escapeName makes of any text only letters, digits, dots, hyphens, underscores and escapes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
    const escaped = escapeName(text);
    assert.match(escaped, /^(?:[A-Za-z0-9._-]|\\\d{3})*$/);
    assert.equal(escapeName(escaped), escaped);
  }));
});

Deno.test("escapeLine keeps text readable and leaves no control character, line separator or lone surrogate", () => {
  assert.equal(escapeLine("Größe: 1/2 „ok“"), "Größe: 1/2 „ok“");
  assert.equal(escapeLine("a\nb\u001b[31m\u202e"), "a\\u{a}b\\u{1b}[31m\\u{202e}");
  assert.equal(escapeLine("\ud800x"), "\\u{d800}x");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(escapeLine(text), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|\p{Surrogate}/u);
  }));
});

Deno.test("escapeLine cuts what is too long", () => {
  assert.equal(escapeLine("abcdef", 3), "abc…");
});
