/**
 * fail2ban's own filter, as Debian ships it, on our history lines. Needs the package fail2ban.
 * @module
 */
import assert from "node:assert/strict";
import { formatHistoryLine, OffenceBook } from "../../src/record/history.ts";
import type { ScanEvent } from "../../src/record/event.ts";
import { run } from "../lab/lab.ts";
import { blockEvent, probe, probeEvent, TIME } from "../unit/record/fixtures.ts";

const FILTER = "/etc/fail2ban/filter.d/portsentry.conf";
const made = [{ ok: true, action: "nftables" }] as const;

/** The addresses that fail2ban takes from a history file made of these events. */
async function matched(events: readonly ScanEvent[]): Promise<readonly string[]> {
  const book = new OffenceBook({ windowSeconds: 600, maxSources: 1024 });
  const lines = events.map((event) => book.entryOf(event)).filter((entry) => entry !== undefined)
    .map(formatHistoryLine);
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, lines.map((line) => `${line}\n`).join(""));
    const result = await run(["fail2ban-regex", "--out", "ip", path, FILTER]);
    assert.equal(result.code === 0 || lines.length === 0, true, result.stderr + result.stdout);
    return result.stdout.split("\n").filter((line) => /^[0-9a-f.:]+$/.test(line) && line.length > 2);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("C7 C24: fail2ban's stock filter finds the address in every line of TCP and UDP", async () => {
  const rows: readonly [ScanEvent, string][] = [
    [blockEvent(made), "10.77.0.1"],
    [
      blockEvent(made, { probe: probe({ source: "203.0.113.9" }), hostname: "scanner.example.net" }),
      "203.0.113.9",
    ],
    [blockEvent(made, { probe: probe({ source: "fd77::1", port: 65535 }) }), "fd77::1"],
    [
      blockEvent(made, { probe: probe({ source: "2001:db8::9", protocol: "udp" }), hostname: "six.example" }),
      "2001:db8::9",
    ],
    [blockEvent(made, { probe: probe({ source: "203.0.113.10" }), hostname: "x/8.8.8.8" }), "203.0.113.10"],
    [
      blockEvent(made, {
        probe: probe({ source: "203.0.113.11" }),
        hostname: "x/8.8.8.8 Port: 1 TCP Blocked\n1 - Host: y/9.9.9.9 Port: 1 TCP Blocked",
      }),
      "203.0.113.11",
    ],
    [
      blockEvent(made, { probe: probe({ source: "203.0.113.12" }), hostname: "n".repeat(255) }),
      "203.0.113.12",
    ],
    [probeEvent("observe", { probe: probe({ source: "203.0.113.13" }) }), "203.0.113.13"],
    [blockEvent(made, { probe: probe({ source: "203.0.113.14" }), time: TIME + 0.75 }), "203.0.113.14"],
  ];
  assert.deepEqual(await matched(rows.map(([event]) => event)), rows.map(([, address]) => address));
});

Deno.test("F10: fail2ban's stock filter finds nothing in what is no offence", async () => {
  const verdicts = ["ignored", "protected", "already-blocked", "below-trigger", "block"] as const;
  const events: ScanEvent[] = verdicts.map((verdict) => probeEvent(verdict));
  events.push(
    blockEvent([{ ok: false, action: "nftables", error: "EPERM" }]),
    { type: "release", time: TIME, target: "10.77.0.1", cause: "expired", outcomes: made },
    { type: "notice", time: TIME, level: "err", message: "x/10.77.0.1 Port: 1 TCP Blocked" },
    // Documented: the stock filter knows TCP and UDP only.
    blockEvent(made, { probe: probe({ protocol: "sctp", scan: "sctp" }) }),
    blockEvent(made, { probe: probe({ protocol: "icmp", scan: "icmp", port: 8 }) }),
  );
  assert.deepEqual(await matched(events), []);
});

Deno.test("C7: fail2ban's stock filter takes the time of the line, not the time of reading", async () => {
  const path = await Deno.makeTempFile();
  try {
    const line = formatHistoryLine({ time: TIME, address: "10.77.0.1", port: 23, protocol: "tcp" });
    await Deno.writeTextFile(path, `${line}\n`);
    const result = await run(["fail2ban-regex", "-v", path, FILTER]);
    assert.match(result.stdout, /1 matched/);
    assert.match(result.stdout, /\[1\] \{\^LN-BEG\}Epoch/, result.stdout);
  } finally {
    await Deno.remove(path);
  }
});
