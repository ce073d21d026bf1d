/**
 * The fail2ban filter that the package brings, read by fail2ban itself. Needs the package fail2ban.
 * @module
 */
import assert from "node:assert/strict";
import { formatHistoryLine } from "../../src/record/history.ts";

const FILTER = new URL("../../debian/fail2ban/filter.conf", import.meta.url).pathname;
const NOW = Math.floor(Date.now() / 1000);

/** The addresses that fail2ban would ban for these lines, in their order. */
async function found(lines: readonly string[]): Promise<readonly string[]> {
  const log = await Deno.makeTempFile({ prefix: "portsnare-history-" });
  try {
    await Deno.writeTextFile(log, lines.map((line) => `${line}\n`).join(""));
    const output = await new Deno.Command("fail2ban-regex", { args: ["--out", "ip", log, FILTER] }).output();
    const said = new TextDecoder().decode(output.stdout);
    assert.ok(output.success || lines.length === 0, `${said}${new TextDecoder().decode(output.stderr)}`);
    return said.split("\n").filter((line) => /^[0-9a-f.:]+$/.test(line) && /[.:]/.test(line));
  } finally {
    await Deno.remove(log);
  }
}

Deno.test("our filter finds the address in every line of the history, whatever the protocol and the name", async () => {
  const lines = [
    formatHistoryLine({ time: NOW, address: "203.0.113.9", port: 23, protocol: "tcp" }),
    formatHistoryLine({ time: NOW, address: "2001:db8::9", port: 161, protocol: "udp" }),
    formatHistoryLine({
      time: NOW,
      address: "203.0.113.10",
      port: 80,
      protocol: "sctp",
      hostname: "a.example",
    }),
    formatHistoryLine({
      time: NOW,
      address: "203.0.113.11",
      port: 1,
      protocol: "tcp",
      hostname: "192.0.2.1",
    }),
    formatHistoryLine({
      time: NOW,
      address: "203.0.113.12",
      port: 1,
      protocol: "tcp",
      hostname: "x/192.0.2.2",
    }),
    formatHistoryLine({
      time: NOW,
      address: "203.0.113.13",
      port: 1,
      protocol: "tcp",
      hostname: "x Host: y/192.0.2.3 Port: 1 TCP Blocked",
    }),
  ];
  assert.deepEqual(await found(lines), [
    "203.0.113.9",
    "2001:db8::9",
    "203.0.113.10",
    "203.0.113.11",
    "203.0.113.12",
    "203.0.113.13",
  ]);
});

Deno.test("our filter finds nothing in what is no line of the history", async () => {
  const good = formatHistoryLine({ time: NOW, address: "203.0.113.9", port: 23, protocol: "tcp" });
  const lines = [
    good.replace(" Blocked", " Ignored"),
    `${good} not`,
    good.replace("203.0.113.9/203.0.113.9", "203.0.113.9"),
    good.replace("Port: 23", "Port: x"),
    good.replace(/^\d+ - /, `${NOW} x - `),
  ];
  // One good line, because fail2ban-regex fails when it finds nothing at all.
  assert.deepEqual(await found([...lines, good]), ["203.0.113.9"]);
});
