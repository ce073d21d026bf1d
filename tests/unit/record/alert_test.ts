/**
 * Every log text, byte for byte as PortSentry writes it where it has one.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ScanType } from "../../../src/decode/probe.ts";
import type { Protocol } from "../../../src/net/protocol.ts";
import { alertLines, probeLineCount } from "../../../src/record/alert.ts";
import type { ScanEvent } from "../../../src/record/event.ts";
import { blockEvent, probe, probeEvent, TIME } from "./fixtures.ts";

function texts(event: ScanEvent): string[] {
  return alertLines(event).map((line) => line.text);
}

Deno.test("C20: alertLines names the scan type as PortSentry does", () => {
  const rows: readonly [ScanType, Protocol, number, string][] = [
    ["syn", "tcp", 2, "TCP SYN/Normal scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["null", "tcp", 0, " TCP NULL scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["xmas", "tcp", 41, "TCP XMAS scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["fin", "tcp", 1, "TCP FIN scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["connect", "tcp", 0, "Connect from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["connect", "udp", 0, "Connect from host: 10.77.0.1/10.77.0.1 to UDP port: 23"],
    ["udp", "udp", 0, "UDP scan from host: 10.77.0.1/10.77.0.1 to UDP port: 23"],
    [
      "unknown",
      "tcp",
      2 | 32,
      "Unknown Type: TCP Packet Flags: SYN: 1 FIN: 0 ACK: 0 PSH: 0 URG: 1 RST: 0 " +
      "from host: 10.77.0.1/10.77.0.1 to TCP port: 23",
    ],
    [
      "unknown",
      "tcp",
      63,
      "Unknown Type: TCP Packet Flags: SYN: 1 FIN: 1 ACK: 1 PSH: 1 URG: 1 RST: 1 " +
      "from host: 10.77.0.1/10.77.0.1 to TCP port: 23",
    ],
    ["ack", "tcp", 16, "TCP ACK scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["window", "tcp", 16, "TCP Window scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["maimon", "tcp", 17, "TCP Maimon scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23"],
    ["sctp", "sctp", 0, "SCTP INIT scan from host: 10.77.0.1/10.77.0.1 to SCTP port: 23"],
    ["icmp", "icmp", 0, "ICMP scan from host: 10.77.0.1/10.77.0.1 to ICMP type: 23"],
    ["unknown", "sctp", 0, "Unknown Type: SCTP from host: 10.77.0.1/10.77.0.1 to SCTP port: 23"],
  ];
  for (const [scan, protocol, flags, text] of rows) {
    assert.deepEqual(texts(probeEvent("block", { probe: probe({ scan, protocol, flags }) })), [
      `attackalert: ${text}`,
    ]);
  }
});

Deno.test("C10: alertLines writes the line on IP options and name before address", () => {
  const event = probeEvent("block", {
    probe: probe({ source: "fd77::1", hasOptions: true, port: 36 }),
    hostname: "six.example",
  });
  assert.deepEqual(texts(event), [
    "attackalert: TCP SYN/Normal scan from host: six.example/fd77::1 to TCP port: 36",
    "attackalert: Packet from host: six.example/fd77::1 to TCP port: 36 has IP options set " +
    "(detection avoidance technique).",
  ]);
});

Deno.test("C17: alertLines still tells of a blocked host's probe, in the spelling of the mode", () => {
  assert.deepEqual(texts(probeEvent("already-blocked", { hostname: "a.example" })), [
    "attackalert: TCP SYN/Normal scan from host: a.example/10.77.0.1 to TCP port: 23",
    "attackalert: Host: a.example/10.77.0.1 is already blocked Ignoring",
  ]);
  const classic = probeEvent("already-blocked", { probe: probe({ scan: "connect" }), hostname: "a.example" });
  assert.equal(texts(classic)[1], "attackalert: Host: 10.77.0.1 is already blocked. Ignoring");
});

Deno.test("C10: alertLines says what became of a probe that is not answered", () => {
  const second = (event: ScanEvent) => texts(event)[1];
  assert.equal(
    second(probeEvent("observe")),
    "attackalert: Ignoring TCP response per configuration file setting.",
  );
  assert.equal(
    second(probeEvent("observe", { probe: probe({ protocol: "udp", scan: "udp" }) })),
    "attackalert: Ignoring UDP response per configuration file setting.",
  );
  const claims = [
    ["gateway", "claims to come from the default gateway"],
    ["own-address", "claims to come from this host itself"],
    ["resolver", "claims to come from a name server in use"],
    ["session", "claims to come from the peer of an established session"],
  ] as const;
  for (const [reason, claim] of claims) {
    assert.equal(
      second(probeEvent("protected", { reason })),
      `attackalert: Host: 10.77.0.1/10.77.0.1 will not be blocked: the packet ${claim}`,
    );
  }
});

Deno.test("alertLines keeps quiet, at the usual level, of what is no scan yet and of the ignore list", () => {
  const level = (event: ScanEvent) => alertLines(event).map((line) => line.level);
  assert.deepEqual(level(probeEvent("below-trigger")), ["info"]);
  assert.deepEqual(level(probeEvent("ignored")), ["debug", "debug"]);
  assert.deepEqual(level(probeEvent("observe")), ["notice", "notice"]);
});

Deno.test("probeLineCount is the number of lines that alertLines makes", () => {
  const verdicts = ["ignored", "protected", "already-blocked", "below-trigger", "observe", "block"] as const;
  for (const verdict of verdicts) {
    for (const hasOptions of [false, true]) {
      const event = probeEvent(verdict, { probe: probe({ hasOptions }) });
      assert.equal(probeLineCount(event), alertLines(event).length, `${verdict} ${hasOptions}`);
    }
  }
});

Deno.test("C10 C12: alertLines tells of each action that worked, in the order in which they ran", () => {
  const event = blockEvent([
    { ok: true, action: "kill_hosts_deny", detail: "ALL: 10.77.0.1 : DENY" },
    { ok: true, action: "kill_route", detail: "/sbin/route add -host 10.77.0.1 reject" },
    { ok: true, action: "kill_run_cmd", detail: "/bin/mail 10.77.0.1 23" },
    { ok: true, action: "nftables" },
    { ok: true, action: "none" },
  ], { seconds: 86400 });
  assert.deepEqual(texts(event), [
    'attackalert: Host 10.77.0.1 has been blocked via wrappers with string: "ALL: 10.77.0.1 : DENY"',
    "attackalert: Host 10.77.0.1 has been blocked via dropped route using command: " +
    '"/sbin/route add -host 10.77.0.1 reject"',
    'attackalert: External command run for host: 10.77.0.1 using command: "/bin/mail 10.77.0.1 23"',
    "attackalert: Host 10.77.0.1 has been blocked via nftables for 1d",
  ]);
  assert.deepEqual(texts({ ...blockEvent([{ ok: true, action: "nftables" }]), offence: 3 }), [
    "attackalert: Host 10.77.0.1 has been blocked via nftables permanently (offence 3)",
  ]);
});

Deno.test("F1: alertLines never tells of a failed action as a block", () => {
  const actions = ["nftables", "iptables", "route", "kill_route", "kill_hosts_deny", "kill_run_cmd"];
  for (const action of actions) {
    const event = blockEvent([{ ok: false, action, error: "exit 127", detail: "/no/such/cmd" }]);
    for (const line of alertLines(event)) {
      assert.doesNotMatch(line.text, /has been blocked|External command run/);
      assert.equal(line.level, "err");
      assert.match(line.text, /ERROR/);
    }
    assert.notEqual(texts(event).length, 0);
  }
  assert.deepEqual(
    texts(blockEvent([{ ok: false, action: "kill_route", error: "exit 1", detail: "/x 1" }])),
    [
      "adminalert: ERROR: There was an error trying to block host (exec fail) 10.77.0.1: exit 1" +
      ' using command: "/x 1"',
      "attackalert: ERROR: Could not block host 10.77.0.1/10.77.0.1 !! (kill_route)",
    ],
  );
  assert.deepEqual(texts(blockEvent([{ ok: false, action: "kill_hosts_deny", error: "EROFS" }])), [
    "securityalert: ERROR: There was an error trying to block host 10.77.0.1: EROFS",
    "attackalert: ERROR: Could not block host 10.77.0.1/10.77.0.1 !! (kill_hosts_deny)",
  ]);
});

Deno.test("F6: alertLines tells of the end of a ban, and of what could not be undone", () => {
  const release = (outcomes: Parameters<typeof blockEvent>[0], cause: "expired" | "unblocked") =>
    texts({ type: "release", time: TIME, target: "10.77.0.1", cause, outcomes });
  assert.deepEqual(release([{ ok: true, action: "nftables" }], "expired"), [
    "adminalert: Host 10.77.0.1 is no longer kept out: the time of its ban is over",
  ]);
  assert.deepEqual(release([], "unblocked"), [
    "adminalert: Host 10.77.0.1 is no longer kept out: released by the administrator",
  ]);
  assert.deepEqual(
    release(
      [{ ok: true, action: "nftables" }, { ok: false, action: "kill_hosts_deny", error: "EROFS" }],
      "expired",
    ),
    ["adminalert: ERROR: Could not release host 10.77.0.1 from kill_hosts_deny: EROFS"],
  );
});

Deno.test("alertLines sums up the bans that ended together", () => {
  const rest = (released: number, failed: number, cause: "expired" | "unblocked") =>
    texts({ type: "releases", time: TIME, cause, released, failed });
  assert.deepEqual(rest(99_900, 0, "unblocked"), [
    "adminalert: 99900 more hosts are no longer kept out: released by the administrator",
  ]);
  assert.deepEqual(rest(1, 2, "expired"), [
    "adminalert: 1 more host is no longer kept out: their time is over",
    "adminalert: ERROR: Could not release 2 more hosts",
  ]);
});

Deno.test("alertLines names a notice adminalert unless it names itself", () => {
  const notice = (message: string) => texts({ type: "notice", time: TIME, level: "notice", message });
  assert.deepEqual(notice("PortSentry is now active and listening."), [
    "adminalert: PortSentry is now active and listening.",
  ]);
  assert.deepEqual(notice("securityalert: PortSentry is shutting down"), [
    "securityalert: PortSentry is shutting down",
  ]);
});

Deno.test("alertLines gives one harmless line each, whatever a name, command or error holds", () => {
  const text = fc.string({ unit: "binary", maxLength: 300 });
  fc.assert(fc.property(text, text, text, (hostname, detail, error) => {
    const events: ScanEvent[] = [
      probeEvent("observe", { hostname, probe: probe({ hasOptions: true }) }),
      blockEvent([
        { ok: true, action: "kill_route", detail },
        { ok: false, action: "kill_run_cmd", detail, error },
        { ok: false, action: "nftables", error },
      ], { hostname }),
      { type: "release", time: TIME, target: detail, cause: "expired", outcomes: [] },
      { type: "notice", time: TIME, level: "err", message: error },
    ];
    for (const line of events.flatMap(texts)) {
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    }
  }));
});
