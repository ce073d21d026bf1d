/** Names from name servers that are slow, dead or hostile. @module */
import assert from "node:assert/strict";
import { Names, type NamesOptions, reverseName } from "../../../src/host/names.ts";
import { formatAddress, ipv4Address } from "../../../src/net/address.ts";
import { address } from "../../lab/addresses.ts";

function namesWith(options: Partial<NamesOptions>): Names {
  return new Names({ monotonicMs: () => 0, ...options });
}

const ONE = address("192.0.2.1");

const REVERSE: readonly [string, string][] = [
  ["192.0.2.1", "1.2.0.192.in-addr.arpa"],
  ["2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"],
];
for (const [text, expected] of REVERSE) {
  Deno.test(`reverseName of ${text} is as in the RFC`, () =>
    assert.equal(reverseName(address(text)), expected));
}

const HOSTILE: readonly [string, readonly string[], string | undefined][] = [
  ["a plain name", ["scanner.example.net."], "scanner.example.net"],
  [
    "a newline",
    ["a\n1 - Host: b/192.0.2.9 Port: 1 TCP Blocked"],
    "a\\0101\\032-\\032Host\\058\\032b\\047192.0.2.9\\032Port\\058\\0321\\032TCP\\032Blocked",
  ],
  ["control bytes", ["a\x1b[2Jb\0"], "a\\027\\0912Jb\\000"],
  ["a slash", ["x/192.0.2.9"], "x\\047192.0.2.9"],
  ["no record", [], undefined],
  ["the root", ["."], undefined],
];
for (const [what, records, expected] of HOSTILE) {
  Deno.test(`Names.nameOf makes ${what} harmless`, async () => {
    const names = namesWith({ reverse: () => Promise.resolve(records) });
    assert.equal(await names.nameOf(ONE), expected);
  });
}

Deno.test("Names.nameOf cuts a name of more than 255 bytes", async () => {
  const names = namesWith({ reverse: () => Promise.resolve(["a".repeat(5000)]) });
  assert.equal(await names.nameOf(ONE), "a".repeat(255));
});

Deno.test("Names.nameOf gives no name when the name server fails, at once or later, or throws", async () => {
  const faults: readonly NonNullable<NamesOptions["reverse"]>[] = [
    () => Promise.reject(new Deno.errors.NotFound("no such name")),
    () => {
      throw new TypeError("no network");
    },
  ];
  for (const reverse of faults) assert.equal(await namesWith({ reverse }).nameOf(ONE), undefined);
});

Deno.test("Names.nameOf gives up on a name server that is silent, and tells it so", async () => {
  let given: AbortSignal | undefined;
  const names = namesWith({
    patienceMs: 5,
    reverse: (_, signal) => {
      given = signal;
      return new Promise(() => {});
    },
  });
  assert.equal(await names.nameOf(ONE), undefined);
  assert.equal(given?.aborted, true);
});

Deno.test("Names.nameOf asks 16 questions at once and no more, and one address once", async () => {
  const asked: string[] = [];
  const gate = Promise.withResolvers<readonly string[]>();
  const names = namesWith({
    reverse: (name) => {
      asked.push(name);
      return gate.promise;
    },
  });
  const answers = Array.from({ length: 40 }, (_, i) => names.nameOf(ipv4Address(0xc0000200 + (i % 20))));
  assert.equal(asked.length, 16);
  gate.resolve(["host.example."]);
  const given = await Promise.all(answers);
  assert.equal(given.filter((name) => name === "host.example").length, 32);
  assert.equal(given.filter((name) => name === undefined).length, 8);
});

Deno.test("Names.nameOf keeps a name ten minutes, its absence one, and 1,024 of them", async () => {
  let now = 0;
  let asked = 0;
  let record: readonly string[] = ["host.example"];
  const names = namesWith({
    monotonicMs: () => now,
    reverse: () => {
      asked++;
      return Promise.resolve(record);
    },
  });
  const askedAt = async (ms: number): Promise<number> => {
    now = ms;
    await names.nameOf(ONE);
    return asked;
  };
  assert.equal(await askedAt(0), 1);
  assert.equal(await askedAt(599_999), 1);
  record = [];
  assert.equal(await askedAt(600_000), 2);
  assert.equal(await askedAt(659_999), 2);
  assert.equal(await askedAt(660_000), 3);
  for (let i = 0; i < 1024; i++) await names.nameOf(ipv4Address(i));
  assert.equal(await askedAt(660_001), 3 + 1024 + 1, "the oldest one should have made room");
});

Deno.test("Names stops asking while 64 questions are stuck", async () => {
  let asked = 0;
  const names = namesWith({
    patienceMs: 1,
    forward: () => {
      asked++;
      return new Promise(() => {});
    },
  });
  const many = Array.from({ length: 200 }, (_, i) => `host${i}.example`);
  const found = await names.addressesOf(many);
  assert.equal(asked, 64);
  assert.equal(found.size, 200);
  assert.ok([...found.values()].every((addresses) => addresses === undefined));
});

Deno.test("Names.addressesOf takes at most 64 real addresses of a name, each once", async () => {
  const answers: Readonly<Record<string, readonly string[]>> = {
    "two.example": ["192.0.2.1", "192.0.2.1", "fe80::1%eth0", "nonsense", ""],
    "many.example": Array.from({ length: 500 }, (_, i) => `10.0.${i >>> 8}.${i & 255}`),
    "none.example": [],
  };
  const names = namesWith({ forward: (name) => Promise.resolve(answers[name] ?? []) });
  const found = await names.addressesOf(Object.keys(answers));
  assert.deepEqual(found.get("two.example")?.map(formatAddress), ["192.0.2.1", "fe80::1"]);
  assert.equal(found.get("many.example")?.length, 64);
  assert.equal(found.get("none.example"), undefined);
});

Deno.test("Names.addressesOf honours /etc/hosts", async () => {
  const found = await new Names({ monotonicMs: () => 0 }).addressesOf(["localhost"]);
  assert.ok(found.get("localhost")?.map(formatAddress).includes("127.0.0.1"));
});
