import assert from "node:assert/strict";
import fc from "fast-check";
import { parseModeFile } from "../../../../src/config/portsentry/mode_file.ts";

Deno.test("C4, C6: parseModeFile knows the six modes, quoted as a shell would have them", () => {
  const rows: [text: string, tcp: string, udp: string][] = [
    ['TCP_MODE="tcp"\nUDP_MODE="udp"\n', "connect", "connect"],
    ['TCP_MODE="stcp"\nUDP_MODE="sudp"', "stealth", "stealth"],
    ['TCP_MODE="atcp"\nUDP_MODE="audp"', "advanced", "advanced"],
    ["TCP_MODE=atcp # every port\nexport UDP_MODE='sudp'", "advanced", "stealth"],
    ['TCP_MODE=""\nUDP_MODE=', "off", "off"],
    ["", "off", "off"],
    ['#TCP_MODE="tcp"\n  UDP_MODE="udp"\r', "off", "connect"],
    // A shell takes the last assignment.
    ['TCP_MODE="tcp"\nTCP_MODE="atcp"', "advanced", "off"],
  ];
  for (const [text, tcp, udp] of rows) {
    assert.deepEqual(parseModeFile(text, "default"), { tcp, udp, faults: [] }, text);
  }
});

Deno.test("C4: parseModeFile refuses what PortSentry's start script refuses, with the place", () => {
  assert.deepEqual(parseModeFile('# x\nTCP_MODE="audp"\nUDP_MODE="constructor"', "default").faults, [
    {
      file: "default",
      line: 2,
      column: 10,
      message: 'TCP_MODE: expected "", "tcp", "stcp", "atcp", found "audp"',
    },
    {
      file: "default",
      line: 3,
      column: 10,
      message: 'UDP_MODE: expected "", "udp", "sudp", "audp", found "constructor"',
    },
  ]);
});

Deno.test("parseModeFile takes any text without an exception", () => {
  const words = fc.constantFrom("TCP_MODE=", "UDP_MODE=", '"', "'", "atcp", "\n", " ", "export ", "#");
  fc.assert(fc.property(fc.array(words).map((all) => all.join("")), (text) => {
    assert.match(parseModeFile(text, "default").tcp, /^(?:off|connect|stealth|advanced)$/);
  }));
});
