/** The nftables backend against the kernel: what survives, what is noticed, and how it holds up when there is much of it. */
import assert from "node:assert/strict";
import { EXIT, UserError } from "../../src/errors.ts";
import { parseAddress } from "../../src/net/address.ts";
import { formatPrefix } from "../../src/net/prefix.ts";
import type { Ban } from "../../src/respond/backend.ts";
import { NftablesBackend } from "../../src/respond/nftables/backend.ts";
import { SetElements } from "../../src/respond/nftables/set_elements.ts";
import { Transactions } from "../../src/respond/nftables/transaction.ts";
import { type RulesetPlan, rulesetPlan } from "../../src/respond/nftables/plan.ts";
import { buildRuleset, chainsOf } from "../../src/respond/nftables/ruleset.ts";
import { setsOf } from "../../src/respond/nftables/sets.ts";
import { reaches, serve } from "../lab/clients.ts";
import { DENO } from "../lab/deno.ts";
import { openDescriptors } from "../lab/descriptors.ts";
import { Lab, type Result, run } from "../lab/lab.ts";
import { backendFor, blocking } from "../lab/trap.ts";
import { PLANS } from "../unit/respond/nftables/plans.ts";
import { prefix } from "../lab/addresses.ts";

const OK = { ok: true, action: "nftables" } as const;

function ban(text: string, seconds?: number): Ban {
  return { target: prefix(text), seconds };
}

/** With the time rounded up to hundreds of seconds, as all bans here are made: a slow machine must not matter. */
async function listed(backend: NftablesBackend): Promise<string[]> {
  return (await backend.list()).map(({ target, seconds }) =>
    `${formatPrefix(target)} ${seconds === undefined ? "permanent" : Math.ceil(seconds / 100) * 100}`
  ).sort();
}

function key(number: number): Uint8Array {
  return Uint8Array.of(10, number >> 16, number >> 8, number);
}

Deno.test("NftablesBackend: the six verbs, each twice, in the kernel", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const nft = (...args: string[]): Promise<string> => target.out(["nft", ...args]);
  await nft("add", "table", "inet", "other");
  using _ = target.enter();
  using backend = backendFor(blocking());
  assert.deepEqual(await backend.check(), { ok: false, missing: "table inet portsnare" });
  for (let i = 0; i < 2; i++) await backend.setup();
  assert.deepEqual(await backend.check(), { ok: true });
  const bans = [
    ban("192.0.2.1", 100),
    ban("2001:db8::1"),
    ban("198.51.100.0/24", 100),
    ban("2001:db8:1::/48"),
  ];
  for (let i = 0; i < 2; i++) assert.deepEqual(await backend.block(bans), [OK, OK, OK, OK]);
  assert.deepEqual(await listed(backend), [
    "192.0.2.1 100",
    "198.51.100.0/24 100",
    "2001:db8:1::/48 permanent",
    "2001:db8::1 permanent",
  ]);
  const targets = [prefix("192.0.2.1"), prefix("198.51.100.0/24"), prefix("203.0.113.9")];
  for (let i = 0; i < 2; i++) assert.deepEqual(await backend.release(targets), [OK, OK, OK]);
  assert.deepEqual(await listed(backend), ["2001:db8:1::/48 permanent", "2001:db8::1 permanent"]);
  for (let i = 0; i < 2; i++) await backend.teardown();
  assert.equal((await nft("list", "tables")).trim(), "table inet other");
});

Deno.test("NftablesBackend: a renewed ban gets the new time, longer, shorter or permanent", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  for (const seconds of [200, 5000, 100, undefined, 700]) {
    for (const address of ["192.0.2.1", "2001:db8::/64"]) {
      assert.deepEqual(await backend.block([ban(address, seconds)]), [OK]);
    }
    const expected = seconds ?? "permanent";
    assert.deepEqual(await listed(backend), [`192.0.2.1 ${expected}`, `2001:db8::/64 ${expected}`]);
  }
});

Deno.test("NftablesBackend: bans that overlap each keep their time, and lifting one leaves the others", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  await backend.block([ban("10.0.0.0/30", 500), ban("10.0.0.2/31", 9000), ban("10.0.0.1", 700)]);
  assert.deepEqual(await listed(backend), ["10.0.0.0/31 500", "10.0.0.1 700", "10.0.0.2/31 9000"]);
  await backend.release([prefix("10.0.0.2/31")]);
  assert.deepEqual(await listed(backend), ["10.0.0.0/30 500", "10.0.0.1 700"]);
  await backend.block([ban("0.0.0.0/0"), ban("::/0", 300)]);
  assert.deepEqual(await listed(backend), ["0.0.0.0/0 permanent", "10.0.0.1 700", "::/0 300"]);
});

Deno.test("NftablesBackend: bans survive the end of the daemon, a restart, and a reload with other settings", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const banned = await lab.host();
  await serve(target, 80);
  using _ = target.enter();
  {
    using backend = backendFor(blocking());
    await backend.setup();
    await backend.block([ban(banned.ipv4, 600), ban("198.51.100.0/24", 600)]);
  }
  assert.equal(await reaches(banned, target.ipv4, 80), false, "nobody is there, and the ban stands");
  using backend = backendFor(blocking());
  await backend.setup();
  const kept = async (): Promise<void> => {
    const [host, net, ...more] = await backend.list();
    assert.deepEqual(more, []);
    assert.equal(host && formatPrefix(host.target), banned.ipv4);
    assert.equal(net && formatPrefix(net.target), "198.51.100.0/24");
    for (const it of [host, net]) assert.ok((it?.seconds ?? 0) > 500 && (it?.seconds ?? 0) <= 600);
  };
  await kept();
  for (
    const sections of [
      { detect: { position: "after-firewall" } },
      { detect: { scan_trigger: 0 }, block: { rate: 5 } },
      { block: { max_active: 10, quarantine: "0s" } },
      { tcp: { mode: "off" }, udp: { mode: "off" } },
      {},
    ]
  ) {
    using other = backendFor(blocking(sections));
    await other.setup();
    assert.deepEqual(await other.check(), { ok: true });
    await kept();
  }
  assert.deepEqual(await backend.release([prefix(banned.ipv4)]), [OK]);
  assert.ok(await reaches(banned, target.ipv4, 80));
});

Deno.test("NftablesBackend: the rules change under traffic without a moment in which a banned source gets through", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const banned = await lab.host();
  await serve(target, 80);
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  await backend.block([ban(banned.ipv4, 600)]);
  const flood = banned.run(["hping3", "-q", "-S", "-p", "80", "-i", "u100", "-c", "20000", target.ipv4]);
  for (let i = 0; i < 40; i++) {
    const position = i % 2 === 1 ? "before-firewall" : "after-firewall";
    using other = backendFor(blocking({ detect: { position } }));
    await other.setup();
  }
  assert.match((await flood).stderr, / 0 packets received, 100% packet loss/);
});

const DAMAGES: readonly [string, readonly string[], string][] = [
  ["the whole ruleset flushed", ["flush", "ruleset"], "table inet portsnare"],
  ["our table deleted", ["delete", "table", "inet", "portsnare"], "table inet portsnare"],
  ["our rules flushed", ["flush", "table", "inet", "portsnare"], "rules of chain guard"],
  ["the trap emptied", ["flush", "chain", "inet", "portsnare", "trap"], "rules of chain trap"],
];

Deno.test("NftablesBackend.check sees what others did to our table, and setup repairs it", async (test) => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  for (const [what, args, missing] of DAMAGES) {
    await test.step(what, async () => {
      await target.out(["nft", "add", "table", "inet", "unrelated"]);
      assert.deepEqual(await backend.check(), { ok: true });
      await target.out(["nft", ...args]);
      assert.deepEqual(await backend.check(), { ok: false, missing });
      await backend.setup();
      assert.deepEqual(await backend.check(), { ok: true });
    });
  }
});

Deno.test("NftablesBackend says of a ban that it failed when the table is gone", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  await target.out(["nft", "flush", "ruleset"]);
  const [host, net] = await backend.block([ban("192.0.2.1", 5), ban("192.0.2.0/24", 5)]);
  const failed = { ok: false, action: "nftables", error: "table inet portsnare is not there (ENOENT)" };
  assert.deepEqual([host, net], [failed, failed]);
  backend.quarantine([{ address: prefix("192.0.2.1").address }]);
  backend.setProtected([]);
  assert.deepEqual(backend.counters(), { trapped: 0, held: 0, blocked: 0, unseized: 1 });
});

Deno.test("NftablesBackend: whom to spare is in the kernel from the moment the trap is", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  const addresses = ["10.77.0.9", "fd77::9"].map(parseAddress).filter((it) => it !== undefined);
  backend.setIgnored([
    prefix("192.0.2.0/24"),
    prefix("192.0.2.128/25"),
    prefix("2001:db8::/32"),
    prefix("::1"),
  ]);
  backend.setProtected([...addresses, ...addresses]);
  backend.setGrace([
    { protocol: "tcp", address: undefined, port: 80, seconds: undefined },
    { protocol: "sctp", address: addresses[1], port: 36412, seconds: 30 },
  ]);
  await backend.setup();
  // By number: names come from /etc/protocols, which a small system lacks.
  const held = async (set: string): Promise<string> =>
    /elements = \{([^}]*)\}/.exec(await target.out(["nft", "-n", "list", "set", "inet", "portsnare", set]))
      ?.[1]
      ?.replace(/\s+/g, " ").replace(/expires \w+/, "").trim() ?? "";
  assert.equal(await held("ignored4"), "192.0.2.0/24");
  assert.equal(await held("ignored6"), "::1, 2001:db8::/32");
  assert.equal(await held("protected4"), "10.77.0.9");
  assert.equal(await held("protected6"), "fd77::9");
  assert.equal(await held("graced"), "6 . 80");
  assert.match(await held("graced6"), /^fd77::9 \. 132 \. 36412 timeout \w+$/);
  backend.setIgnored([prefix("198.51.100.0/25"), prefix("198.51.100.128/25")]);
  backend.setProtected([]);
  backend.changeGrace({
    put: [{ protocol: "udp", address: addresses[0], port: 53, seconds: undefined }],
    drop: [{ protocol: "tcp", address: undefined, port: 80 }],
  });
  assert.equal(await held("ignored4"), "198.51.100.0/24");
  assert.equal(await held("ignored6"), "");
  assert.equal(await held("protected4"), "");
  assert.equal(await held("graced"), "");
  assert.equal(await held("graced4"), "10.77.0.9 . 17 . 53");
  await target.out(["nft", "flush", "ruleset"]);
  await backend.setup();
  assert.equal(await held("ignored4"), "198.51.100.0/24");
  assert.equal(await held("graced4"), "10.77.0.9 . 17 . 53");
  assert.deepEqual(await backend.check(), { ok: true });
});

Deno.test("NftablesBackend: a restart or reload forgets nobody who is spared before it knows whom to spare", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  const addresses = ["10.77.0.9", "fd77::9"].map(parseAddress).filter((it) => it !== undefined);
  const sets = ["ignored4", "ignored6", "protected4", "protected6", "graced"];
  const filled = async (): Promise<readonly string[]> => {
    const texts = await Promise.all(
      sets.map((set) => target.out(["nft", "list", "set", "inet", "portsnare", set])),
    );
    return sets.filter((_, index) => texts[index]?.includes("elements = "));
  };
  using before = backendFor(blocking());
  before.setIgnored([prefix("192.0.2.0/24"), prefix("2001:db8::/32")]);
  before.setProtected(addresses);
  before.setGrace([{ protocol: "tcp", address: undefined, port: 80, seconds: undefined }]);
  await before.setup();
  assert.deepEqual(await filled(), sets);
  using after = backendFor(blocking({ detect: { scan_trigger: 0 } }));
  await after.setup();
  assert.deepEqual(await filled(), sets);
  after.setIgnored([]);
  after.setProtected([]);
  after.setGrace([]);
  assert.deepEqual(await filled(), []);
});

Deno.test("SetElements holds 100,000 bans, and another one costs no more than the first", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  using backend = backendFor(blocking());
  await backend.setup();
  using transactions = new Transactions();
  using elements = new SetElements(transactions);
  const time = (numbers: readonly number[]): number => {
    const begun = performance.now();
    for (const number of numbers) {
      assert.deepEqual(elements.put("banned4", [{ key: key(number), timeoutMs: 60_000 }]), [undefined]);
    }
    return performance.now() - begun;
  };
  const few = time([...Array(500).keys()]);
  const many = [...Array(100_000).keys()].map((number) => ({ key: key(number), timeoutMs: 86_400_000 }));
  assert.ok(elements.put("banned4", many).every((error) => error === undefined));
  const kept = elements.list("banned4");
  assert.equal(kept.length, 100_000);
  assert.ok(
    kept.every(({ remainingMs }) => (remainingMs ?? 0) > 86_000_000),
    "those that were there are renewed too",
  );
  const last = time([...Array(500).keys()].map((number) => 200_000 + number));
  assert.ok(
    last < few * 5 + 50,
    `500 bans took ${few.toFixed(1)} ms at first and ${last.toFixed(1)} ms later`,
  );
  assert.ok(elements.remove("banned4", many).every((error) => error === undefined));
  assert.equal(elements.list("banned4").length, 500);
});

Deno.test("SetElements says which element did not fit into a full set, and renews what is in it", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await target.out(["nft", "-f", "-"], {
    stdin: "table inet portsnare { set banned4 { type ipv4_addr; flags timeout; size 300; }; }",
  });
  using _ = target.enter();
  using transactions = new Transactions();
  using elements = new SetElements(transactions);
  const range = (first: number, count: number) =>
    [...Array(count).keys()].map((number) => ({ key: key(first + number), timeoutMs: 60_000 }));
  assert.ok(elements.put("banned4", range(0, 200)).every((error) => error === undefined));
  const results = elements.put("banned4", range(1000, 120));
  const refused = results.filter((error) => error !== undefined).length;
  assert.equal(elements.list("banned4").length, 200 + results.length - refused);
  assert.ok(refused >= 20 && refused <= 25, `${refused} of 120 refused where 100 places were free`);
  assert.deepEqual(new Set(results.filter((error) => error !== undefined)), new Set(["ENFILE"]));
  assert.deepEqual(elements.put("banned5", range(0, 3)), ["ENOENT", "ENOENT", "ENOENT"]);
  assert.deepEqual(elements.remove("banned5", range(0, 1)), ["ENOENT"]);
  elements.flush("banned4");
  assert.deepEqual(elements.list("banned4"), []);
});

Deno.test("NftablesBackend names the missing privilege, the missing program and what nft said", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  const script = new URL("../lab/nftables_setup.ts", import.meta.url).pathname;
  const bounded = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"];
  const denied = await target.run([...bounded, DENO, "run", "-A", "--cached-only", script]);
  assert.equal(denied.code, EXIT.permission, denied.stderr);
  assert.match(denied.stderr, /Cannot set up table inet portsnare: this needs root or CAP_NET_ADMIN/);
  const said = [
    [{ code: 127, notStarted: "not-found", stderr: "" } as const, /install Debian's package nftables/],
    [
      { code: 1, stderr: "Error: syntax error, unexpected newline\nx" } as const,
      /nft: exit status 1: Error: syntax/,
    ],
  ] as const;
  for (const [result, message] of said) {
    using backend = new NftablesBackend({
      plan: rulesetPlan(blocking(), { engine: "raw", conntrack: false, ephemeral: { first: 1, last: 2 } }),
      exec: () => Promise.resolve({ stdout: "", timedOut: false, ...result }),
      monotonicMs: () => 0,
    });
    await assert.rejects(backend.setup(), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.exitCode, EXIT.unavailable);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("NftablesBackend closes every descriptor", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  const before = openDescriptors();
  {
    using backend = backendFor(blocking());
    await backend.setup();
    await backend.block([ban("192.0.2.1", 5)]);
    await backend.check();
    await backend.list();
  }
  assert.deepEqual(openDescriptors(), before);
});

/** Runs nft of a Debian release on this kernel, in a network of its own. */
async function nftOf(suite: string, files: readonly string[]): Promise<Result> {
  const maker = new URL("../../scripts/debian_root.sh", import.meta.url).pathname;
  const made = await run(["sh", maker, suite, "nftables"], { seconds: 900 });
  assert.equal(made.code, 0, made.stderr);
  const root = made.stdout.trim();
  // nft 0.9.8 reads its standard input through /dev/stdin, which leads to /proc.
  const script = [
    "set -e",
    `mount --bind /proc ${root}/proc`,
    ...files.map((file) => `chroot ${root} nft -f - <${file}`),
    `chroot ${root} nft list table inet portsnare`,
  ].join("\n");
  return await run(["unshare", "--net", "--mount", "sh", "-c", script]);
}

for (const suite of ["bullseye", "trixie"]) {
  Deno.test(`buildRuleset: the nft of Debian ${suite} loads every plan over every other`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "portsnare-nft-" });
    try {
      const files: string[] = [];
      let existing: RulesetPlan | undefined;
      for (const name of [...Object.keys(PLANS), ...Object.keys(PLANS).reverse(), "observe", "first_probe"]) {
        const of = PLANS[name];
        assert.ok(of !== undefined);
        const text = buildRuleset(of, {
          contents: new Map([["ignored4", ["192.0.2.0-192.0.2.255"]], ["protected6", ["fe80::1"]]]),
          existing: existing && { chains: chainsOf(existing).map((it) => it.name), sets: setsOf(existing) },
        });
        files.push(`${directory}/${files.length}.nft`);
        await Deno.writeTextFile(files.at(-1) ?? "", text);
        existing = of;
      }
      const result = await nftOf(suite, files);
      assert.equal(result.code, 0, result.stderr);
      for (const it of existing === undefined ? [] : chainsOf(existing)) {
        assert.match(result.stdout, new RegExp(`chain ${it.name} \\{\n\t\tcomment "${it.comment}"`));
      }
      assert.match(result.stdout, /192\.0\.2\.0\/24/);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
