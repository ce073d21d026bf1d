import assert from "node:assert/strict";
import fc from "fast-check";
import { SynPacket } from "../../../../bench/traffic/syn_packet.ts";
import { classify } from "../../../../src/decode/classify.ts";
import { decodePacket } from "../../../../src/decode/decode.ts";
import { formatAddress } from "../../../../src/net/address.ts";

/** RFC 1071: words that include their own checksum add up to all ones. */
function sums(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

for (const [source, dest, first] of [["10.78.0.0", "10.77.0.1", 12], ["fd78::", "fd77::1", 8]] as const) {
  Deno.test(`SynPacket from ${source} is a SYN with right checksums, whatever it is aimed at`, () => {
    const packet = new SynPacket(source, dest);
    const port = fc.integer({ min: 1, max: 65535 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        port,
        port,
        (sourceBits, sourcePort, destPort) => {
          packet.aim({ sourceBits, sourcePort, destPort });
          assert.equal(packet.sourceBits(), sourceBits);
          if (packet.family === 4) assert.equal(sums(packet.bytes.subarray(0, 20), 0), 0xffff, "IPv4 header");
          assert.equal(sums(packet.bytes.subarray(first), 6 + 20), 0xffff, "TCP");
          const found = classify(decodePacket(packet.bytes), 0);
          assert.ok(found.kind === "probe" && found.probe.scan === "syn");
          assert.deepEqual([found.probe.sourcePort, found.probe.port], [sourcePort, destPort]);
          assert.equal(formatAddress(found.probe.dest), dest);
        },
      ),
    );
  });
}

Deno.test("SynPacket refuses two families in one packet", () => {
  assert.throws(() => new SynPacket("10.78.0.0", "fd77::1"), /No packet goes/);
});
