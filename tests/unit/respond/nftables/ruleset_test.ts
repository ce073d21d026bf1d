/** The ruleset as text: golden files, what a reload keeps, and what no plan may ever contain. @module */
import assert from "node:assert/strict";
import {
  buildRuleset,
  chainsOf,
  changedSets,
  type ExistingTable,
} from "../../../../src/respond/nftables/ruleset.ts";
import { setsOf } from "../../../../src/respond/nftables/sets.ts";
import { plan, PLANS } from "./plans.ts";

const GOLDEN = new URL("../../../fixtures/nftables/", import.meta.url);
const BLOCK = { tcp: { response: "block" }, udp: { response: "block" } } as const;

/** What the kernel has after this ruleset was loaded. */
function loaded(of: ReturnType<typeof plan>): ExistingTable {
  return { chains: chainsOf(of).map(({ name }) => name), sets: setsOf(of) };
}

for (const [name, of] of Object.entries(PLANS)) {
  Deno.test(`buildRuleset gives the text of ${name}.nft`, async () => {
    assert.equal(buildRuleset(of), await Deno.readTextFile(new URL(`${name}.nft`, GOLDEN)));
  });

  Deno.test(`buildRuleset names in ${name} only chains, sets and counters that it makes`, () => {
    const text = buildRuleset(of);
    const made = (kind: string): string[] =>
      [...text.matchAll(new RegExp(`^(?:\t|add )${kind} (?:inet portsnare )?(\\w+) \\{`, "gm"))].map((
        [, it],
      ) => it ?? "");
    const used = (pattern: RegExp): Set<string> =>
      new Set([...text.matchAll(pattern)].map(([, it]) => it ?? ""));
    for (const chain of used(/(?:jump|goto) (\w+)/g)) assert.ok(made("chain").includes(chain), chain);
    for (const set of used(/@(\w+\d?)(?= |\n)/g)) {
      assert.ok(set === "th" || made("set").includes(set), set);
    }
    for (const counter of used(/counter name (\w+)/g)) assert.ok(made("counter").includes(counter), counter);
  });

  Deno.test(`buildRuleset keeps the comments of ${name} within what nft takes`, () => {
    for (const [, comment = ""] of buildRuleset(of).matchAll(/comment "([^"]*)"/g)) {
      assert.ok(comment.length > 0 && comment.length <= 128, comment);
    }
  });
}

Deno.test("buildRuleset never starts connection tracking on a host that has none", () => {
  for (const engine of ["kernel", "raw"] as const) {
    assert.doesNotMatch(buildRuleset(plan(BLOCK, { engine })), /\bct\b/);
    assert.match(buildRuleset(plan(BLOCK, { engine, conntrack: true })), /ct state established/);
  }
});

Deno.test("buildRuleset bounds every update that a packet can cause", () => {
  for (const of of Object.values(PLANS)) {
    const dynamic = setsOf(of).filter((set) => (set.flags & 0x20) !== 0);
    const text = buildRuleset(of);
    for (const [, name = ""] of text.matchAll(/(?:add|update) @(\w+) \{/g)) {
      const set = dynamic.find((candidate) => candidate.name === name);
      assert.ok(set !== undefined && set.size > 0 && set.timeoutSeconds > 0, `${name} is not bounded`);
    }
    const seize = chainsOf(of).find(({ name }) => name === "seize");
    if (seize === undefined) continue;
    const limit = seize.rules.findIndex((rule) => rule.startsWith("limit rate over"));
    const first = seize.rules.findIndex((rule) => /^(?:add|update)/.test(rule));
    assert.ok(limit >= 0 && limit < first, "block.rate stands before the first addition");
  }
});

Deno.test("buildRuleset leaves the sets of a table alone and replaces its rules", () => {
  const of = plan(BLOCK);
  const text = buildRuleset(of, { existing: loaded(of) });
  assert.doesNotMatch(text, /delete set|flush set|delete table|flush table|flush ruleset/);
  for (const { name } of chainsOf(of)) {
    assert.ok(
      text.indexOf(`flush chain inet portsnare ${name}\n`) <
        text.indexOf(`delete chain inet portsnare ${name}\n`),
    );
  }
  // Everything is emptied before the first is deleted: chains that others jump to cannot be.
  assert.ok(text.lastIndexOf("flush chain") < text.indexOf("delete chain"));
});

const CHANGES: readonly [string, ReturnType<typeof plan>, readonly string[]][] = [
  ["nothing", plan(BLOCK), []],
  ["the position", plan({ ...BLOCK, detect: { position: "after-firewall" } }), []],
  ["block.rate", plan({ ...BLOCK, block: { rate: 7 } }), []],
  ["the length of the quarantine", plan({ ...BLOCK, block: { quarantine: "9s" } }), [
    "quarantined4",
    "quarantined6",
  ]],
  ["detect.window", plan({ ...BLOCK, detect: { window: "1h" } }), ["repeat4", "repeat6"]],
  ["block.max_active", plan({ ...BLOCK, block: { max_active: 5 } }), [
    "banned4",
    "banned6",
    "quarantined4",
    "quarantined6",
  ]],
  ["scan_trigger to 1", plan({ ...BLOCK, detect: { scan_trigger: 1 } }), ["repeat4", "repeat6"]],
];

for (const [what, of, gone] of CHANGES) {
  Deno.test(`changedSets: a change of ${what} makes anew ${gone.join(", ") || "no set"}`, () => {
    const existing = loaded(plan(BLOCK));
    assert.deepEqual([...changedSets(of, existing)].sort(), [...gone].sort());
    const text = buildRuleset(of, { existing });
    for (const name of gone) assert.match(text, new RegExp(`^delete set inet portsnare ${name}$`, "m"));
  });
}

Deno.test("changedSets wants rid of sets that an older version has left", () => {
  const of = plan(BLOCK);
  const old = { name: "old4", keyBytes: 4, flags: 0, size: 0, timeoutSeconds: 0 };
  assert.deepEqual(changedSets(of, { chains: [], sets: [...setsOf(of), old] }), ["old4"]);
});

Deno.test("buildRuleset fills sets in the transaction that arms the trap", () => {
  const of = plan(BLOCK);
  const contents = new Map([["ignored4", ["192.0.2.0-192.0.2.255", "198.51.100.1"]], ["protected4", []]]);
  const text = buildRuleset(of, { existing: loaded(of), contents });
  assert.match(text, /^flush set inet portsnare ignored4$/m);
  assert.match(text, /^flush set inet portsnare protected4$/m);
  assert.match(
    text,
    /^add element inet portsnare ignored4 \{ 192\.0\.2\.0-192\.0\.2\.255, 198\.51\.100\.1 \}$/m,
  );
  assert.doesNotMatch(text, /add element inet portsnare protected4/);
  assert.doesNotMatch(buildRuleset(of, { contents }), /flush/);
});
