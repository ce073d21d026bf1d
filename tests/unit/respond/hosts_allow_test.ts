import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress } from "../../../src/net/address.ts";
import { allowOverrides } from "../../../src/respond/hosts_allow.ts";

function lines(contents: string, address?: string): readonly number[] {
  const parsed = address === undefined ? undefined : parseAddress(address);
  if (address !== undefined && parsed === undefined) throw new Error(`Not an address: ${address}`);
  return allowOverrides(contents, parsed).map(({ line }) => line);
}

Deno.test("allowOverrides finds the lines that let an address in", () => {
  for (
    const [contents, address, found] of [
      ["", "192.0.2.1", []],
      ["# ALL: ALL\n\n", "192.0.2.1", []],
      ["ALL: ALL", "192.0.2.1", [1]],
      ["sshd: ALL\nvsftpd: 192.0.2.1\n", "192.0.2.1", [1, 2]],
      ["sshd: 192.0.2.2", "192.0.2.1", []],
      ["sshd: 10.0.0.1, 192.0.2.1 , 10.0.0.2", "192.0.2.1", [1]],
      ["sshd: 192.0.2.", "192.0.2.1", [1]],
      ["sshd: 192.0.2.", "192.0.20.1", []],
      ["sshd: 192.0.2.0/255.255.255.0", "192.0.2.77", [1]],
      ["sshd: 192.0.2.0/255.255.255.0", "192.0.3.77", []],
      ["sshd: 192.0.2.0/24", "192.0.2.77", [1]],
      ["sshd: [2001:db8::1]", "2001:db8::1", [1]],
      ["sshd: [2001:db8::]/32 : spawn /bin/true", "2001:db8:7::1", [1]],
      ["sshd: [2001:db8::]/32", "2001:db9::1", []],
      ["sshd: root@192.0.2.1", "192.0.2.1", [1]],
      ["sshd: 192.0.2.?", "192.0.2.7", [1]],
      ["sshd: 192.*", "192.0.2.7", [1]],
      ["sshd: *", "192.0.2.7", [1]],
      ["sshd: *.2.*7", "192.0.2.77", [1]],
      ["sshd: *.2.*8", "192.0.2.77", []],
      ["sshd: 192.0.2.7?", "192.0.2.7", []],
      [`sshd: ${"*1".repeat(40)}x`, "111.111.111.111", []],
      [`sshd: 192.0.2.1 ${"10.0.0.1 ".repeat(230)}`, "192.0.2.1", []],
      [`sshd: 192.0.2.1 ${"\\\n".repeat(3000)}\nALL: ALL`, "192.0.2.1", [1, 3002]],
      ["sshd: ALL EXCEPT 192.0.2.0/24", "192.0.2.7", []],
      ["sshd: ALL EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.7", "192.0.2.7", [1]],
      ["sshd: ALL EXCEPT 192.0.2.0/24", "198.51.100.1", [1]],
      ["sshd: .example.org LOCAL KNOWN /etc/allowed", "192.0.2.1", []],
      ["sshd: 192.0.2.1 : DENY", "192.0.2.1", []],
      ["sshd: 192.0.2.1 : allow", "192.0.2.1", [1]],
      ["sshd: 192.0.2.1 : twist /bin/echo no", "192.0.2.1", []],
      ["ALL: 192.0.2.1 : deny\nALL: ALL", "192.0.2.1", []],
      ["ALL: 192.0.2.1 : deny\nALL: ALL", "192.0.2.2", [2]],
      ["sshd: 192.0.2.1 : deny\nALL: ALL", "192.0.2.1", [2]],
      ["#x\nsshd: 10.0.0.1 \\\n  192.0.2.1 \\\n : allow\nALL: ALL", "192.0.2.1", [2, 5]],
      ["no colon here", "192.0.2.1", []],
      ["sshd: all", "192.0.2.1", [1]],
    ] as const
  ) assert.deepEqual(lines(contents, address), found, `${JSON.stringify(contents)} ${address}`);
});

Deno.test("allowOverrides without an address names every line that lets somebody in", () => {
  assert.deepEqual(lines("sshd: 10.0.0.1\nALL: 1.2.3.4 : deny\n# no\nALL: LOCAL\n"), [1, 4]);
});

Deno.test("allowOverrides takes any text, and a line for nobody else's address changes nothing", () => {
  const address = parseAddress("203.0.113.9");
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    for (const { line } of allowOverrides(text, address)) assert.ok(line >= 1);
  }));
});
