import fc from "fast-check";
import assert from "node:assert/strict";
import { networkLayerOffset } from "../../../src/capture/link_layer.ts";
import { concat, ethernet, hex, ip, tcp, u16 } from "../../lab/packets.ts";

const V4 = ip({ from: "192.0.2.1", to: "198.51.100.2", payload: tcp({ to: 22 }) });
const V6 = ip({ from: "2001:db8::1", to: "2001:db8::2", payload: tcp({ to: 22 }) });
const [NULL, ETHERNET, PPP, RAW, LOOP, COOKED, IPV4, COOKED2] = [0, 1, 9, 101, 108, 113, 228, 276] as const;

const cooked = (type: number): Uint8Array => concat(u16(0, 1, 6), new Uint8Array(8), u16(type));
const cooked2 = (type: number): Uint8Array => concat(u16(type, 0), new Uint8Array(16));
const mac = new Uint8Array(12);

const ROWS:
  readonly (readonly [name: string, linkType: number, bytes: Uint8Array, expected: number | string])[] = [
    ["Ethernet, IPv4", ETHERNET, ethernet(V4), 14],
    ["Ethernet, IPv6", ETHERNET, ethernet(V6), 14],
    ["a VLAN tag", ETHERNET, ethernet(V4, 0x8100), 18],
    ["QinQ by 802.1ad", ETHERNET, ethernet(V4, 0x88a8, 0x8100), 22],
    ["QinQ by 0x9100", ETHERNET, ethernet(V6, 0x9100, 0x8100), 22],
    ["eight tags", ETHERNET, ethernet(V4, ...Array<number>(8).fill(0x8100)), 46],
    ["nine tags", ETHERNET, ethernet(V4, ...Array<number>(9).fill(0x8100)), "not-ip"],
    ["ARP", ETHERNET, concat(mac, u16(0x0806), new Uint8Array(28)), "not-ip"],
    ["spanning tree", ETHERNET, concat(mac, u16(38, 0x4242), new Uint8Array(36)), "not-ip"],
    ["SNAP", ETHERNET, concat(mac, u16(48), hex("aaaa 03 000000 0800"), V4), 22],
    ["PPPoE", ETHERNET, concat(mac, u16(0x8864), hex("1100 0001 002a 0021"), V4), 22],
    ["PPPoE discovery", ETHERNET, concat(mac, u16(0x8863), new Uint8Array(20)), "not-ip"],
    [
      "IPv4's number in front of something else",
      ETHERNET,
      concat(mac, u16(0x0800), Uint8Array.of(0x15)),
      "not-ip",
    ],
    ["Linux cooked v1", COOKED, concat(cooked(0x0800), V4), 16],
    ["Linux cooked v1, IPv6", COOKED, concat(cooked(0x86dd), V6), 16],
    ["Linux cooked v1, VLAN", COOKED, concat(cooked(0x8100), u16(42, 0x0800), V4), 20],
    ["Linux cooked v1, ARP", COOKED, concat(cooked(0x0806), new Uint8Array(28)), "not-ip"],
    ["Linux cooked v2", COOKED2, concat(cooked2(0x0800), V4), 20],
    ["Linux cooked v2, IPv6", COOKED2, concat(cooked2(0x86dd), V6), 20],
    ["Linux cooked v2, VLAN", COOKED2, concat(cooked2(0x8100), u16(42, 0x0800), V4), 24],
    ["Linux cooked v2, ARP", COOKED2, concat(cooked2(0x0806), new Uint8Array(28)), "not-ip"],
    ["raw", RAW, V4, 0],
    ["raw, IPv6", RAW, V6, 0],
    ["raw by OpenBSD's number", 14, V4, 0],
    ["raw by FreeBSD's number", 12, V6, 0],
    ["raw IPv4", IPV4, V4, 0],
    ["raw IPv6", 229, V6, 0],
    ["null, little-endian", NULL, concat(hex("02000000"), V4), 4],
    ["null, big-endian", NULL, concat(hex("00000002"), V4), 4],
    ["null, IPv6 on FreeBSD", NULL, concat(hex("1c000000"), V6), 4],
    ["loop", LOOP, concat(hex("00000018"), V6), 4],
    ["PPP", PPP, concat(hex("0021"), V4), 2],
    ["PPP with its HDLC address", PPP, concat(hex("ff03 0057"), V6), 4],
    ["PPP's own control", PPP, concat(hex("ff03 c021"), new Uint8Array(8)), "not-ip"],
    ["802.11", 105, V4, "unsupported"],
    ["USB", 189, new Uint8Array(64), "unsupported"],
  ];

for (const [name, linkType, bytes, expected] of ROWS) {
  Deno.test(`networkLayerOffset finds the IP header behind ${name}: ${expected}`, () => {
    assert.equal(networkLayerOffset(linkType, bytes), expected);
  });
}

Deno.test("networkLayerOffset takes any bytes of any link type, and never points beyond them", () => {
  const linkType = fc.oneof(
    fc.constantFrom(0, 1, 9, 12, 14, 50, 101, 108, 113, 228, 229, 276),
    fc.nat(0xffff),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.nat(60).map((length) => ethernet(V4, 0x8100).subarray(0, length)),
  );
  fc.assert(fc.property(linkType, bytes, (type, frame) => {
    const offset = networkLayerOffset(type, frame);
    if (typeof offset === "number") assert.ok(offset < frame.length);
  }));
});
