/** resolv.conf: what counts as a resolver, and following the file. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseResolvConf, Resolvers } from "../../../src/host/resolvers.ts";
import { formatAddress } from "../../../src/net/address.ts";
import { until } from "../../lab/lab.ts";

const CASES: readonly [string, string, readonly string[]][] = [
  ["two servers", "nameserver 192.0.2.1\nnameserver 2001:db8::53\n", ["192.0.2.1", "2001:db8::53"]],
  ["no final newline", "nameserver 192.0.2.1", ["192.0.2.1"]],
  ["comments and other keywords", "# nameserver 192.0.2.9\nsearch example.org\noptions edns0\n", []],
  ["a comment behind it", "nameserver 192.0.2.1 # home\n", ["192.0.2.1"]],
  ["CRLF, tabs and leading blanks", " \tnameserver\t192.0.2.1 \r\n", ["192.0.2.1"]],
  ["a zone", "nameserver fe80::1%eth0\n", ["fe80::1"]],
  ["a server twice", "nameserver 192.0.2.1\nnameserver 192.0.2.1\n", ["192.0.2.1"]],
  ["a name", "nameserver dns.example.org\n", []],
  ["an octet too large", "nameserver 192.0.2.256\n", []],
  ["two addresses in a line: the first, as the C library", "nameserver 192.0.2.1 192.0.2.2\n", ["192.0.2.1"]],
  ["an address with something attached", "nameserver 192.0.2.1#53\n", []],
  ["another word that begins so", "nameservers 192.0.2.1\n", []],
  ["the empty file", "", []],
];
for (const [what, text, expected] of CASES) {
  Deno.test(`parseResolvConf reads ${what}`, () => {
    assert.deepEqual(parseResolvConf(text).map(formatAddress), expected);
  });
}

Deno.test("parseResolvConf gives at most 32 servers of any text, and never throws", () => {
  const line = fc.oneof(
    fc.string(),
    fc.ipV4().map((ip) => `nameserver ${ip}`),
    fc.ipV6().map((ip) => `nameserver ${ip}`),
  );
  fc.assert(fc.property(fc.array(line, { maxLength: 100 }), (lines) => {
    assert.ok(parseResolvConf(lines.join("\n")).length <= 32);
  }));
});

Deno.test("Resolvers follows the file written, replaced, removed, and linked elsewhere", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const main = `${directory}/resolv.conf`;
    const upstream = `${directory}/upstream.conf`;
    await Deno.writeTextFile(main, "nameserver 192.0.2.1\n");
    await Deno.writeTextFile(upstream, "nameserver 192.0.2.99\n");
    using resolvers = new Resolvers({ main, upstreams: [upstream] });
    let told = 0;
    resolvers.onChange(() => told++);
    const have = (): string => resolvers.addresses().map(formatAddress).join(" ");
    assert.equal(have(), "192.0.2.1");

    await Deno.writeTextFile(main, "nameserver 192.0.2.2\n");
    await until("written", () => have() === "192.0.2.2");
    await Deno.writeTextFile(`${directory}/new`, "nameserver 192.0.2.3\nnameserver 2001:db8::1\n");
    await Deno.rename(`${directory}/new`, main);
    await until("replaced", () => have() === "192.0.2.3 2001:db8::1");
    await Deno.writeTextFile(main, "nameserver 127.0.0.53\n");
    await until("a local resolver: its upstream", () => have() === "192.0.2.99");
    await Deno.writeTextFile(upstream, "nameserver 192.0.2.98\n");
    await until("the upstream changed", () => have() === "192.0.2.98");

    await Deno.mkdir(`${directory}/elsewhere`);
    await Deno.writeTextFile(`${directory}/elsewhere/stub.conf`, "nameserver 192.0.2.4\n");
    await Deno.symlink("elsewhere/stub.conf", `${directory}/link`);
    await Deno.rename(`${directory}/link`, main);
    await until("linked elsewhere", () => have() === "192.0.2.4");
    await Deno.writeTextFile(`${directory}/elsewhere/stub.conf`, "nameserver 192.0.2.5\n");
    await until("the file linked to was written", () => have() === "192.0.2.5");
    assert.ok(told >= 6, `told ${told} times`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
