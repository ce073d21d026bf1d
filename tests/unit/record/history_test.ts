/**
 * The history line and which events earn one.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { addressOf, formatAddress } from "../../../src/net/address.ts";
import { formatHistoryLine, OBSERVED_LINES, OffenceBook } from "../../../src/record/history.ts";
import { blockEvent, probe, probeEvent, TIME } from "./fixtures.ts";

const made = [{ ok: true, action: "nftables" }] as const;
const failed = [{ ok: false, action: "nftables", error: "EPERM" }] as const;

function book(windowSeconds = 600, maxSources = 1024): OffenceBook {
  return new OffenceBook({ windowSeconds, maxSources });
}

Deno.test("C7: formatHistoryLine is PortSentry's line, byte for byte", () => {
  const rows: readonly [Parameters<typeof formatHistoryLine>[0], string][] = [
    [
      { time: TIME, address: "10.77.0.1", port: 23, protocol: "tcp" },
      "10.77.0.1/10.77.0.1 Port: 23 TCP Blocked",
    ],
    [
      { time: TIME, address: "203.0.113.9", hostname: "scanner.example.net", port: 137, protocol: "udp" },
      "scanner.example.net/203.0.113.9 Port: 137 UDP Blocked",
    ],
    [{ time: TIME, address: "fd77::1", port: 0, protocol: "tcp" }, "fd77::1/fd77::1 Port: 0 TCP Blocked"],
    [
      { time: TIME, address: "203.0.113.10", hostname: "x/8.8.8.8", port: 21, protocol: "tcp" },
      "x\\0478.8.8.8/203.0.113.10 Port: 21 TCP Blocked",
    ],
    [
      { time: TIME, address: "10.0.0.1", hostname: "", port: 65535, protocol: "sctp" },
      "10.0.0.1/10.0.0.1 Port: 65535 SCTP Blocked",
    ],
  ];
  const local = new Date(TIME * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${two(local.getMonth() + 1)}/${two(local.getDate())}/${local.getFullYear()} ` +
    local.toTimeString().slice(0, 8);
  for (const [entry, rest] of rows) {
    assert.equal(formatHistoryLine(entry), `${TIME} - ${date} Host: ${rest}`);
  }
});

Deno.test("C7: formatHistoryLine can be read back, whatever the name is", () => {
  const anyAddress = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff))
    .map((words) => formatAddress(addressOf(words)));
  fc.assert(fc.property(
    fc.record({
      time: fc.integer({ min: 0, max: 4_000_000_000 }),
      address: anyAddress,
      hostname: fc.string({ unit: "binary", maxLength: 300 }),
      port: fc.nat(65535),
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
    }),
    (entry) => {
      const line = formatHistoryLine(entry);
      // The expression of fail2ban's filter, with its anchor.
      const match = /\/([0-9a-f.:]+) Port: (\d+) (TCP|UDP) Blocked$/.exec(line);
      assert.equal(match?.[1], entry.address);
      assert.equal(match?.[2], String(entry.port));
      assert.match(line, /^\d+ - \d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d Host: \S+ Port: \d+ (?:TCP|UDP) Blocked$/);
      assert.equal(line.split("/").length, 4, "two slashes of the date, one before the address");
    },
  ));
});

Deno.test("F8: OffenceBook.entryOf gives a line for every ban that is made, also for the same source again", () => {
  const offences = book();
  assert.equal(offences.entryOf(blockEvent(made))?.address, "10.77.0.1");
  assert.equal(offences.entryOf(blockEvent(made, { time: TIME + 1 }))?.time, TIME + 1);
});

Deno.test("F1: OffenceBook.entryOf gives no line for a ban that failed", () => {
  assert.equal(book().entryOf(blockEvent(failed)), undefined);
  const command = { ok: false, action: "kill_route", error: "exit 127", detail: "/no/such/cmd" } as const;
  assert.equal(book().entryOf(blockEvent([command])), undefined);
  assert.equal(book().entryOf(blockEvent([{ ok: true, action: "none" }, command])), undefined);
  assert.notEqual(book().entryOf(blockEvent([command, made[0]])), undefined);
});

Deno.test("C9: OffenceBook.entryOf gives an observed source one line in a window", () => {
  const offences = book(600);
  const at = (time: number, source?: string) =>
    offences.entryOf(
      probeEvent("observe", { time, probe: source === undefined ? probe() : probe({ source }) }),
    );
  assert.notEqual(at(TIME), undefined);
  assert.equal(at(TIME + 599), undefined);
  assert.notEqual(at(TIME + 599, "10.77.0.11"), undefined, "another source");
  assert.notEqual(at(TIME + 600), undefined, "the window is over");
  assert.notEqual(at(TIME - 3600), undefined, "the clock was set back");
});

Deno.test("C9: OffenceBook.entryOf gives a line when only a command was to run, even if it failed", () => {
  const offences = book();
  const ran = [{ ok: false, action: "kill_run_cmd", error: "exit 1" }] as const;
  assert.notEqual(offences.entryOf(blockEvent(ran)), undefined);
  assert.equal(offences.entryOf(blockEvent(ran)), undefined);
});

Deno.test("OffenceBook.entryOf does not let an SCTP line stand in the way of one that fail2ban reads", () => {
  const offences = book();
  const sctp = probe({ protocol: "sctp", scan: "sctp" });
  assert.equal(offences.entryOf(probeEvent("observe", { probe: sctp }))?.protocol, "sctp");
  assert.equal(offences.entryOf(probeEvent("observe"))?.protocol, "tcp");
});

Deno.test("F10: OffenceBook.entryOf gives nothing for any other event", () => {
  const offences = book();
  for (const verdict of ["ignored", "protected", "already-blocked", "below-trigger", "block"] as const) {
    assert.equal(offences.entryOf(probeEvent(verdict)), undefined, verdict);
  }
  assert.equal(
    offences.entryOf({ type: "release", time: TIME, target: "10.77.0.1", cause: "expired", outcomes: made }),
    undefined,
  );
  assert.equal(
    offences.entryOf({
      type: "notice",
      time: TIME,
      level: "err",
      message: "Host: 1/1.1.1.1 Port: 1 TCP Blocked",
    }),
    undefined,
  );
});

Deno.test("OffenceBook forgets the oldest source at its bound", () => {
  const offences = book(600, 2);
  const at = (source: string) => offences.entryOf(probeEvent("observe", { probe: probe({ source }) }));
  at("10.0.0.1");
  at("10.0.0.2");
  at("10.0.0.3");
  assert.equal(at("10.0.0.3"), undefined);
  assert.equal(at("10.0.0.2"), undefined);
  assert.notEqual(at("10.0.0.1"), undefined);
});

Deno.test("OffenceBook bounds the lines of observed sources, counts the rest, and lets each ban through", () => {
  const offences = book(600, 1_000_000);
  const at = (index: number, time: number) =>
    offences.entryOf(
      probeEvent("observe", {
        time,
        probe: probe({ source: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` }),
      }),
    );
  let written = 0;
  for (let index = 0; index < OBSERVED_LINES.atOnce + 50; index++) {
    if (at(index, TIME) !== undefined) written++;
  }
  assert.equal(written, OBSERVED_LINES.atOnce);
  assert.equal(offences.takeLeftOut(), 50);
  assert.equal(offences.takeLeftOut(), 0);
  assert.notEqual(offences.entryOf(blockEvent(made)), undefined);
  const last = OBSERVED_LINES.atOnce + 49;
  assert.notEqual(at(last, TIME + 1), undefined, "who found no room is told at the next probe that does");
  assert.equal(at(0, TIME + 1), undefined, "who was told is not told again");
  assert.notEqual(at(last + 1, TIME - 3600), undefined, "a clock that is set back takes no room away");
});
