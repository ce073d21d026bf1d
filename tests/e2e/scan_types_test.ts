/**
 * Every scan type, by real scanners, against the whole daemon, with both engines from one table.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { Lab, until } from "../lab/lab.ts";

interface Case {
  /** What is run on the scanner's host; the target is put behind it. */
  readonly scanner: readonly string[];
  /** The scan types that may be in the log for it; the first must be. */
  readonly scan: string;
  /** Whether one probe can be enough, with `scan_trigger = 0`. */
  readonly atFirstProbe?: boolean;
  readonly ipv6?: boolean;
}

const NMAP = ["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-p", "1-100"];

const CASES: Readonly<Record<string, Case>> = {
  "C20 nmap -sS": { scanner: [...NMAP, "-sS"], scan: "syn", atFirstProbe: true },
  "nmap -sT": { scanner: [...NMAP, "-sT"], scan: "syn", atFirstProbe: true },
  "C20 nmap -sF": { scanner: [...NMAP, "-sF"], scan: "fin", atFirstProbe: true },
  "C20 nmap -sN": { scanner: [...NMAP, "-sN"], scan: "null", atFirstProbe: true },
  "C20 nmap -sX": { scanner: [...NMAP, "-sX"], scan: "xmas", atFirstProbe: true },
  "nmap -sU": {
    scanner: ["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-p", "1-20", "-sU"],
    scan: "udp",
    atFirstProbe: true,
  },
  "C21 nmap -sS -f": { scanner: [...NMAP, "-sS", "-f"], scan: "syn", atFirstProbe: true },
  "nmap --scanflags SYNURG": {
    scanner: [...NMAP, "--scanflags", "SYNURG"],
    scan: "unknown",
    atFirstProbe: true,
  },
  "nmap -g 53": { scanner: [...NMAP, "-sS", "-g", "53"], scan: "syn", atFirstProbe: true },
  "nmap --scan-delay 300ms": {
    scanner: ["nmap", "-n", "-Pn", "--max-retries", "0", "-p", "1-8", "-sS", "--scan-delay", "300ms"],
    scan: "syn",
    atFirstProbe: true,
  },
  "F13 nmap -sA": { scanner: [...NMAP, "-sA"], scan: "ack" },
  "F13 nmap -sM": { scanner: [...NMAP, "-sM"], scan: "maimon" },
  "F13 nmap -sW": { scanner: [...NMAP, "-sW"], scan: "ack" },
  "F13 nmap -sY": { scanner: [...NMAP, "-sY"], scan: "sctp", atFirstProbe: true },
  "F12 nmap -6 -sS": { scanner: [...NMAP, "-6", "-sS"], scan: "syn", atFirstProbe: true, ipv6: true },
  "F12 nmap -6 -sU": {
    scanner: ["nmap", "-n", "-Pn", "-6", "-T4", "--max-retries", "0", "-p", "1-20", "-sU"],
    scan: "udp",
    atFirstProbe: true,
    ipv6: true,
  },
  "F12 nmap -6 -sF": { scanner: [...NMAP, "-6", "-sF"], scan: "fin", atFirstProbe: true, ipv6: true },
  "hping3 with IP options": {
    scanner: ["hping3", "-c", "6", "-i", "u20000", "-S", "-p", "++7", "-G"],
    scan: "syn",
    atFirstProbe: true,
  },
};

for (const engine of ["kernel", "raw"] as const) {
  for (const trigger of [0, 3]) {
    Deno.test(`scan types: engine ${engine}, scan_trigger ${trigger}`, async (test) => {
      await using lab = await Lab.create();
      const target = await lab.host();
      const client = await lab.host();
      await serve(target, 22, 80, 443);
      await using daemon = await Daemon.start(target, {
        config: {
          detect: { engine, scan_trigger: trigger },
          tcp: { response: "block" },
          udp: { response: "block" },
        },
      });
      for (const [name, scan] of Object.entries(CASES)) {
        await test.step(name, async () => {
          const scanner = await lab.host();
          const source = scan.ipv6 === true ? scanner.ipv6 : scanner.ipv4;
          const address = scan.ipv6 === true ? target.ipv6 : target.ipv4;
          await until("the service answers before the scan", () => reaches(scanner, address, 80));
          await scanner.run([...scan.scanner, address], { seconds: 60 });
          const ban = await daemon.line(
            `a ban of ${source}`,
            (line) => line["type"] === "block" && line["source"] === source,
          );
          if (trigger === 0 && scan.atFirstProbe === true) assert.equal(ban["ports"], 1);
          else assert.equal(ban["ports"], 3);
          assert.ok(
            daemon.about(source, "probe").some((line) => line["scan"] === scan.scan),
            `no ${scan.scan} in ${daemon.said()}`,
          );
          assert.equal(await reaches(scanner, address, 80), false, "a banned source must get no answer");
          assert.ok(await reaches(client, address, 80), "everybody else must get one");
        });
      }
    });
  }

  Deno.test(`scan types: engine ${engine}, nmap -D decoys are banned or protected as the rules say (F2)`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const scanner = await lab.host();
    const gateway = await lab.host();
    const decoy = await lab.host();
    await target.out(["ip", "route", "add", "default", "via", gateway.ipv4]);
    await serve(target, 80);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block" } },
    });
    const decoys = `${gateway.ipv4},${decoy.ipv4},${target.ipv4},ME`;
    await scanner.run([...NMAP, "-sS", "-D", decoys, target.ipv4]);
    for (const source of [scanner.ipv4, decoy.ipv4]) {
      await daemon.line(
        `a ban of ${source}`,
        (line) => line["type"] === "block" && line["source"] === source,
      );
    }
    await until("the decoys of the gateway are told", () => daemon.about(gateway.ipv4, "probe").length > 0);
    assert.deepEqual(daemon.about(gateway.ipv4, "block"), []);
    assert.deepEqual(daemon.about(target.ipv4, "block"), []);
    assert.ok(await reaches(gateway, target.ipv4, 80), "the gateway must still be answered");
    assert.ok(await reaches(target, target.ipv4, 80), "the host must reach itself");
  });
}
