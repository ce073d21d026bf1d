import assert from "node:assert/strict";
import { AF, anyAddress, readSocketAddress } from "../../../src/ffi/socket_address.ts";
import { formatAddress } from "../../../src/net/address.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hex.replaceAll(" ", "").match(/../g)?.map((byte) => parseInt(byte, 16)) ?? []);
}

Deno.test("anyAddress writes sockaddr_in and sockaddr_in6 with the port in network order", () => {
  assert.deepEqual(anyAddress(AF.inet, 0x1234), bytes(`0200 1234 ${"00".repeat(12)}`));
  assert.deepEqual(anyAddress(AF.inet6, 0x1234), bytes(`0a00 1234 ${"00".repeat(24)}`));
});

const CASES: readonly (readonly [string, string, string | undefined])[] = [
  ["sockaddr_in", "0200 0050 c0000201 0000000000000000", "192.0.2.1 80"],
  ["sockaddr_in6", "0a00 ffff 00000000 20010db8000000000000000000000001 00000000", "2001:db8::1 65535"],
  ["a mapped address", "0a00 0001 00000000 00000000000000000000ffffc0000201 00000000", "192.0.2.1 1"],
  ["a link-local one", "0a00 0001 00000000 fe800000000000000000000000000001 02000000", "fe80::1 1"],
  ["sockaddr_un", "0100 2f72 756e 0000 0000 0000 0000 0000", undefined],
  ["a short sockaddr_in", "0200 0050 c0000201 00000000000000", undefined],
  ["a short sockaddr_in6", "0a00 0001 00000000 20010db8000000000000000000000001 000000", undefined],
  ["nothing", "", undefined],
];

for (const [name, hex, expected] of CASES) {
  Deno.test(`readSocketAddress gives ${expected} for ${name}`, () => {
    const read = readSocketAddress(bytes(hex));
    assert.equal(read && `${formatAddress(read.address)} ${read.port}`, expected);
  });
}
