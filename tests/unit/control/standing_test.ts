import assert from "node:assert/strict";
import { defaultConfig } from "../../../src/config/schema.ts";
import { standingText } from "../../../src/control/standing.ts";
import type { EvidenceView } from "../../../src/control/views.ts";

function probes(...protocols: readonly string[]): readonly EvidenceView[] {
  return protocols.map((protocol, index) => ({ time: 0, protocol, port: index + 1, scan: "syn" }));
}

Deno.test("standingText says how many ports are missing to a scanner, and why a scanner is not banned", () => {
  const config = defaultConfig();
  const blocking = { ...config, udp: { ...config.udp, response: "block" as const } };
  assert.equal(standingText([], config), undefined);
  assert.match(standingText(probes("tcp"), config) ?? "", /^It has asked for 1 port; 3 make a scanner/);
  assert.match(standingText(probes("tcp", "tcp"), config) ?? "", /^It has asked for 2 ports; 3 make/);
  assert.match(
    standingText(probes("tcp", "sctp", "icmp"), config) ?? "",
    /not banned: tcp\.response = "observe"\.$/,
  );
  assert.match(
    standingText(probes("udp", "tcp", "tcp"), config) ?? "",
    /not banned: tcp\.response and udp\.response = "observe"\.$/,
  );
  assert.equal(
    standingText(probes("udp", "tcp", "tcp"), blocking),
    undefined,
    "what stopped it is in the log",
  );
});

Deno.test("standingText says nothing that the ports alone do not show", () => {
  const config = defaultConfig();
  const detect = { ...config.detect, scan_trigger: 5 };
  assert.equal(
    standingText(probes("tcp", "tcp"), { ...config, detect: { ...detect, count: "probes" } }),
    undefined,
  );
  const first = { ...config, detect: { ...detect, scan_trigger: 1 } };
  assert.equal(standingText(probes("tcp"), first), undefined, "a stray ACK is no scan yet");
});
