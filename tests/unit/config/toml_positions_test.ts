import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, stringify } from "smol-toml";
import { MAX_DEPTH, scanToml, TextLines } from "../../../src/config/toml_positions.ts";

const TEXT = `# comment with = and [brackets]
top = 1
[tcp]
mode = "a = [b]" # the mode
ports = [ 1, "5-11",
  # a comment, with a comma
  'x', [2, 3] ]
"quoted \\"key\\"" = true
dotted . inner = 1979-05-27 07:32:00
inline = { a = 1, b.c = "}", d = [ { e = 2 } ] }
long = """
not = "a key"
[neither]
"""
last = '''it's'''

[[hosts]]
name = "first"
[hosts.more]
deep = 1
[[hosts]]
name = "second"
`;

Deno.test("scanToml finds each key and each value where it stands", () => {
  const rows: [path: (string | number)[], key: string, value: string][] = [
    [["top"], "2:1", "2:7"],
    [["tcp"], "3:2", "3:2"],
    [["tcp", "mode"], "4:1", "4:8"],
    [["tcp", "ports"], "5:1", "5:9"],
    [["tcp", "ports", 0], "5:11", "5:11"],
    [["tcp", "ports", 1], "5:14", "5:14"],
    [["tcp", "ports", 2], "7:3", "7:3"],
    [["tcp", "ports", 3, 1], "7:12", "7:12"],
    [["tcp", 'quoted "key"'], "8:1", "8:20"],
    [["tcp", "dotted"], "9:1", "9:18"],
    [["tcp", "dotted", "inner"], "9:10", "9:18"],
    [["tcp", "inline", "a"], "10:12", "10:16"],
    [["tcp", "inline", "b", "c"], "10:21", "10:25"],
    [["tcp", "inline", "d", 0, "e"], "10:38", "10:42"],
    [["tcp", "long"], "11:1", "11:8"],
    [["tcp", "last"], "15:1", "15:8"],
    [["hosts", 0, "name"], "18:1", "18:8"],
    [["hosts", 0, "more", "deep"], "20:1", "20:8"],
    [["hosts", 1, "name"], "22:1", "22:8"],
  ];
  const map = scanToml(TEXT);
  const lines = new TextLines(TEXT);
  const shown = (offset: number): string => {
    const { line, column } = lines.at(offset);
    return `${line}:${column}`;
  };
  for (const [path, key, value] of rows) {
    const place = map.place(path);
    assert.ok(place !== undefined, `${path.join(".")} has no place`);
    assert.deepEqual([shown(place.key), shown(place.value)], [key, value], path.join("."));
  }
  assert.equal(map.place(["neither"]), undefined);
  assert.equal(map.place(["tcp", "not"]), undefined);
});

Deno.test("scanToml reads escapes in basic strings only", () => {
  for (const text of ["a = '\\'\nb = 1", 'a = "\\""\nb = 1', "a = '''\\'''\nb = 1", 'a = """\\""""\nb = 1']) {
    assert.deepEqual(Object.keys(parse(text)), ["a", "b"], text);
    assert.equal(scanToml(text).place(["b"])?.key, text.indexOf("b"), text);
  }
});

Deno.test("scanToml gives a repeated key the place of the first", () => {
  const map = scanToml("a = 1\na = 2\n");
  assert.equal(map.place(["a"])?.key, 0);
  assert.deepEqual(map.statements.map((statement) => statement.start), [0, 6]);
});

Deno.test("scanToml counts columns behind a byte order mark and in CRLF lines", () => {
  const text = "\ufeffa = 1\r\n  b = 2\r\n";
  const map = scanToml(text);
  assert.deepEqual(new TextLines(text).at(map.place(["b"])?.key ?? -1), { line: 2, column: 3 });
  assert.equal(map.place(["a"])?.key, 1);
});

Deno.test("TextLines finds the place of every offset, the end included", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("a", "\n", "\r") }), (text) => {
    const lines = new TextLines(text);
    for (let offset = 0; offset <= text.length; offset++) {
      const before = text.slice(0, offset).split("\n");
      assert.deepEqual(lines.at(offset), { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 });
    }
  }));
});

Deno.test("scanToml cuts keys that have too many parts, and says where", () => {
  const parts = (count: number): string => new Array(count).fill("a").join(".");
  assert.equal(scanToml(`[${parts(MAX_DEPTH)}]\n${parts(MAX_DEPTH)} = 1\n`).tooDeep, undefined);
  for (
    const text of [`[${parts(MAX_DEPTH + 1)}]`, `x = { ${parts(MAX_DEPTH + 1)} = 1 }`, `${parts(9999)} = 1`]
  ) {
    assert.equal(scanToml(text).tooDeep, text.indexOf("a") + 2 * MAX_DEPTH, text.slice(0, 100));
  }
});

const keys = fc.oneof(
  fc.constantFrom("a", "b", "scan_trigger", "1", "x-y", "with space", 'quo"te', "dot.dot", "ü", ""),
  fc.string({ maxLength: 8 }).filter((key) => key !== "__proto__"),
);
const scalars = fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.boolean(), fc.string({ maxLength: 20 }));
const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalars, fc.array(tie("value"), { maxLength: 4 }), tie("table")),
  table: fc.dictionary(keys, tie("value"), { maxKeys: 5, noNullPrototype: true }),
}));

function* scalarsOf(value: unknown, path: (string | number)[]): Iterable<[(string | number)[], unknown]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* scalarsOf(item, [...path, index]);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* scalarsOf(item, [...path, key]);
  } else yield [path, value];
}

Deno.test("scanToml agrees with the parser about every value of a valid text", () => {
  fc.assert(
    fc.property(table, (document) => {
      const text = stringify(document);
      const map = scanToml(text);
      for (const [path, value] of scalarsOf(parse(text), [])) {
        const place = map.place(path);
        assert.ok(place !== undefined, `no place for ${JSON.stringify(path)} in\n${text}`);
        // What stands at the place must be this value: cut off anywhere behind it, one cut must give exactly the value.
        const rest = text.slice(place.value);
        const found = Array.from({ length: rest.length + 1 }, (_, end) => end).some((end) => {
          try {
            return Object.is(parse(`x = ${rest.slice(0, end)}`).x, value);
          } catch {
            return false;
          }
        });
        assert.ok(found, `${JSON.stringify(path)} is not at ${place.value} of\n${text}`);
      }
    }),
    { numRuns: 150 },
  );
});

Deno.test("scanToml ends without an exception, whatever it is given", () => {
  const pieces = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    "=",
    '"',
    '"""',
    "'",
    "'''",
    ".",
    ",",
    "\\",
    "#",
    "\n",
    "\r\n",
    " ",
    "a",
    "\0",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces, { maxLength: 60 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, (any) => {
      for (const { start, end } of scanToml(any).statements) assert.ok(start <= end && end <= any.length);
    }),
    { examples: [["=[\n"], ["a={\n"]] },
  );
});

Deno.test("scanToml does not overflow on deep nesting", () => {
  for (const piece of ["[", "{a=", "[[", "a."]) scanToml(`x = ${piece.repeat(100_000)}`);
});
