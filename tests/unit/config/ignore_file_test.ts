import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_FAULTS } from "../../../src/config/fault_list.ts";
import { type Address, formatAddress, parseAddress } from "../../../src/net/address.ts";
import { formatPrefix, PrefixSet } from "../../../src/net/prefix.ts";
import {
  IGNORE_LIMITS,
  type IgnoreFile,
  loadIgnoreFiles,
  parseIgnoreFile,
  parseIgnoreLine,
} from "../../../src/config/ignore_file.ts";

/** What a line means, in one word. */
function meaning(line: string): string {
  const entry = parseIgnoreLine(line);
  if (entry === undefined) return "comment";
  switch (entry.kind) {
    case "prefix":
      return formatPrefix(entry.prefix);
    case "name":
      return `name ${entry.name}`;
    case "nothing":
      return "nothing";
  }
}

Deno.test("C14, F4: parseIgnoreLine takes addresses and prefixes as PortSentry does, and what it drops silently", () => {
  const rows: [line: string, meaning: string][] = [
    ["10.77.0.1", "10.77.0.1"],
    ["10.77.0.1/32", "10.77.0.1"],
    ["10.77.0.0/24", "10.77.0.0/24"],
    // Host bits: what LAN_IP/LAN_NM gives.
    ["192.168.0.10/24", "192.168.0.0/24"],
    ["10.77.0.99/24", "10.77.0.0/24"],
    // Text behind the address.
    ["10.77.0.1 # me", "10.77.0.1"],
    ["10.77.0.1# me", "10.77.0.1"],
    ["10.77.0.1\tme", "10.77.0.1"],
    ["10.77.0.1\r", "10.77.0.1"],
    ["10.77.0.0/24, the office", "10.77.0.0/24"],
    ["10.77.0.1;", "10.77.0.1"],
    // Leading spaces, which 1.2 keeps and never matches.
    [" 10.77.0.1", "10.77.0.1"],
    ["\t10.77.0.1", "10.77.0.1"],
    // Dotted netmasks, which Debian's builder drops.
    ["10.77.0.1/255.255.255.0", "10.77.0.0/24"],
    ["10.77.0.1/255.255.255.255", "10.77.0.1"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["0.0.0.0", "0.0.0.0"],
    ["127.0.0.1/32", "127.0.0.1"],
    // IPv6.
    ["fd77::1", "fd77::1"],
    ["fd77::1/64", "fd77::/64"],
    ["[fd77::1]", "fd77::1"],
    ["[fd77::]/64", "fd77::/64"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    // Host names.
    ["monitor.example.net", "name monitor.example.net"],
    ["Monitor.Example.NET. # nagios", "name monitor.example.net"],
    ["localhost", "name localhost"],
    ["10gbit.example.net", "name 10gbit.example.net"],
    ["10.0.0.1-pool.example.net", "name 10.0.0.1-pool.example.net"],
    ["xn--bcher-kva.example", "name xn--bcher-kva.example"],
    // Nothing at all.
    ["", "comment"],
    ["   ", "comment"],
    ["#10.0.0.1", "comment"],
    ["  # indented", "comment"],
    // What means nothing.
    ["10.0.0", "nothing"],
    ["10.0.0.256", "nothing"],
    ["010.0.0.1", "nothing"],
    ["10.0.0.1/", "nothing"],
    ["10.0.0.1/33", "nothing"],
    ["10.0.0.1/255.0.255.0", "nothing"],
    ["fd77::1/129", "nothing"],
    ["fd77::1::2", "nothing"],
    ["fe80::1%eth0", "nothing"],
    ["ALL:", "nothing"],
    ["bad_-name-.example", "nothing"],
    ["a".repeat(64), "nothing"],
    ["\u0000\u0001\u0002", "nothing"],
    ["/24", "nothing"],
  ];
  for (const [line, expected] of rows) assert.equal(meaning(line), expected, JSON.stringify(line));
});

Deno.test("F4: parseIgnoreFile tells of every line that does nothing, with its number and why", () => {
  const text =
    "# mine\r\n10.0.0.0/24\r\n10.0.0.300\r\n\r\n10.0.0.1/255.0.255.0\r\nwhat is this?\r\nfe80::1%eth0\r\n0.0.0.0/0\r\nlast.example";
  const { prefixes, names, faults } = parseIgnoreFile(text, "ignore");
  assert.deepEqual(prefixes.map(formatPrefix), ["10.0.0.0/24", "0.0.0.0/0"]);
  assert.deepEqual(names, ["what", "last.example"]);
  assert.deepEqual(faults.map((fault) => `${fault.line}: ${fault.message}`), [
    '3: this line does nothing: "10.0.0.300" is no IPv4 address: that is four numbers from 0 to 255',
    '5: this line does nothing: "255.0.255.0" is no netmask: its one bits must all be on the left, as in 255.255.255.0',
    '7: this line does nothing: "fe80::1%eth0" has an interface name; write the address alone',
    "8: this line ignores every address, so nothing is reported",
  ]);
});

Deno.test("parseIgnoreFile holds exactly the addresses that its lines name", () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const address = fc.tuple(octet, octet, octet, octet).map((bytes) => bytes.join("."));
  fc.assert(
    fc.property(
      fc.array(address, { maxLength: 20 }),
      address,
      fc.constantFrom("\n", "\r\n"),
      (listed, other, end) => {
        const set = new PrefixSet(parseIgnoreFile(listed.join(` # x${end}`), "ignore").prefixes);
        const parsed = (text: string): Address => parseAddress(text) ?? assert.fail(text);
        for (const text of listed) assert.ok(set.has(parsed(text)));
        assert.equal(set.has(parsed(other)), listed.includes(other));
      },
    ),
  );
});

Deno.test("parseIgnoreFile takes any text without an exception, and every line of it does something or is told", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    const { prefixes, names, faults } = parseIgnoreFile(text, "ignore");
    const lines = text.split("\n").filter((line) => parseIgnoreLine(line) !== undefined);
    assert.ok(lines.length === 0 || prefixes.length + names.length + faults.length > 0);
  }));
});

Deno.test("parseIgnoreFile reads a quarter of a million lines and says what was cut off", () => {
  const lines = Array.from({ length: IGNORE_LIMITS.lines + 5 }, (_, index) => `10.0.0.${index % 250}`);
  const { prefixes, faults } = parseIgnoreFile(lines.join("\n"), "ignore");
  assert.equal(prefixes.length, 250);
  assert.deepEqual(faults.map((fault) => `${fault.line}: ${fault.message}`), [
    "250001: only the first 250000 lines are read",
  ]);
});

Deno.test("parseIgnoreFile uses a bounded number of prefixes, names and faults", () => {
  const many = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join("\n");
  const address = (index: number): string =>
    formatAddress({ w0: 0, w1: 0, w2: 0xffff, w3: 0x0a000000 + index });
  const addresses = parseIgnoreFile(many(IGNORE_LIMITS.prefixes + 10, address), "ignore");
  assert.equal(addresses.prefixes.length, IGNORE_LIMITS.prefixes);
  assert.match(addresses.faults.at(-1)?.message ?? "", /only the first 65536 addresses/);
  const names = parseIgnoreFile(many(IGNORE_LIMITS.names + 2, (index) => `host-${index}.example`), "ignore");
  assert.equal(names.names.length, IGNORE_LIMITS.names);
  assert.equal(names.faults.length, 2);
  const garbage = parseIgnoreFile(many(5000, () => "???"), "ignore");
  assert.equal(garbage.faults.length, MAX_FAULTS + 1);
  assert.equal(garbage.faults.at(-1)?.message, "4900 more faults");
  const everybody = parseIgnoreFile(many(5000, () => "0.0.0.0/0"), "ignore");
  assert.equal(everybody.faults.length, MAX_FAULTS + 1);
});

async function loadOne(path: string): Promise<IgnoreFile> {
  return (await loadIgnoreFiles([path])).get(path) ?? assert.fail(path);
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function messages(files: ReadonlyMap<string, IgnoreFile>): readonly string[] {
  return [...files.values()].flatMap((file) => file.faults.map(({ message }) => message));
}

Deno.test("loadIgnoreFiles reads at most 4 MiB, binary garbage included, and says so", async () => {
  await inDirectory(async (directory) => {
    const bytes = new Uint8Array(IGNORE_LIMITS.bytes + 100).fill(0xff);
    bytes.set(new TextEncoder().encode("10.0.0.1\n\0\x01\n"));
    await Deno.writeFile(`${directory}/ignore`, bytes);
    const { prefixes, faults } = await loadOne(`${directory}/ignore`);
    assert.deepEqual(prefixes.map(formatPrefix), ["10.0.0.1"]);
    assert.equal(faults.at(-1)?.message, "only the first 4 MiB are read");
    assert.equal(faults.length, 3);
  });
});

Deno.test("loadIgnoreFiles tells of a file that is missing or a directory as a fault of that file", async () => {
  assert.deepEqual((await loadOne("/nonexistent/ignore")).faults, [
    { file: "/nonexistent/ignore", line: 0, column: 0, message: "there is no such file" },
  ]);
  assert.equal((await loadOne("/")).faults.length, 1);
});

Deno.test("loadIgnoreFiles keeps what a file said that cannot be read now, and nothing of one that is gone", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/ignore`;
    await Deno.writeTextFile(path, "10.0.0.1\nfriend.example\n10.0.0.300\n");
    const good = await loadIgnoreFiles([path]);
    await Deno.remove(path);
    await Deno.mkdir(path);
    let last = good;
    for (const again of [1, 2]) {
      last = await loadIgnoreFiles([path], last);
      assert.deepEqual(last.get(path)?.prefixes.map(formatPrefix), ["10.0.0.1"], `reading ${again}`);
      assert.deepEqual(last.get(path)?.names, ["friend.example"]);
      assert.deepEqual(messages(last), [`${path} is a directory; its last 2 good entries stay in force`]);
    }
    await Deno.remove(path);
    assert.deepEqual((await loadIgnoreFiles([path], last)).get(path)?.prefixes, []);
  });
});

Deno.test("C14: loadIgnoreFiles misses neither portsentry.ignore nor its .static while the other is there", async () => {
  await inDirectory(async (directory) => {
    const paths = [`${directory}/portsentry.ignore`, `${directory}/portsentry.ignore.static`] as const;
    assert.deepEqual(
      [...await loadIgnoreFiles(paths)].map(([path, { faults }]) => [path, faults.length]),
      [[paths[0], 1], [paths[1], 0]],
      "the one that IGNORE_FILE names is missed, once",
    );
    for (const path of paths) {
      await Deno.writeTextFile(path, "10.0.0.1\n");
      assert.deepEqual(messages(await loadIgnoreFiles(paths)), [], `only ${path}`);
      await Deno.remove(path);
    }
    await Deno.writeTextFile(paths[1], "10.0.0.1\n");
    assert.equal(messages(await loadIgnoreFiles([paths[0]])).length, 1, "named alone, it is missed");
  });
});
