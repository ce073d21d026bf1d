/**
 * Events in, history and log out.
 * @module
 */
import assert from "node:assert/strict";
import type { AppendResult } from "../../../src/record/append_file.ts";
import type { Level } from "../../../src/record/event.ts";
import { OBSERVED_LINES } from "../../../src/record/history.ts";
import { Recorder } from "../../../src/record/recorder.ts";
import { blockEvent, probe, probeEvent, TIME } from "./fixtures.ts";

const made = [{ ok: true, action: "nftables" }] as const;
const SEVERITY: readonly Level[] = ["err", "warning", "notice", "info", "debug"];

class Desk {
  readonly order: string[] = [];
  readonly history: string[] = [];
  readonly log: string[] = [];
  result: AppendResult = { ok: true, waiting: false };
  nowMs = 0;
  readonly recorder: Recorder;

  constructor(
    options: { readonly format?: "text" | "json"; readonly level?: Level; readonly burst?: number } = {},
  ) {
    const { format = "text", level = "notice", burst = 20 } = options;
    this.recorder = new Recorder({
      history: {
        append: (lines) => {
          this.history.push(...lines);
          this.order.push(...lines.map(() => "history"));
          return this.result;
        },
      },
      log: {
        format,
        isEnabled: (asked) => SEVERITY.indexOf(asked) <= SEVERITY.indexOf(level),
        write: (written, line) => {
          if (SEVERITY.indexOf(written) > SEVERITY.indexOf(level)) return;
          this.log.push(line);
          this.order.push("log");
        },
      },
      clock: { now: () => TIME, monotonicMs: () => this.nowMs },
      limits: { burst, intervalSeconds: 60, windowSeconds: 600, maxSources: 1024 },
    });
  }
}

Deno.test("C7 C9 C17: Recorder.record writes one history line for a ban and logs every probe", () => {
  const desk = new Desk();
  const result = desk.recorder.record([
    probeEvent("below-trigger"),
    probeEvent("block"),
    blockEvent(made),
    probeEvent("already-blocked"),
  ]);
  assert.deepEqual(result, { isWritten: true });
  assert.equal(desk.history.length, 1);
  assert.match(desk.history[0] ?? "", / Host: 10\.77\.0\.1\/10\.77\.0\.1 Port: 23 TCP Blocked$/);
  assert.deepEqual(desk.order, ["history", "log", "log", "log", "log"]);
  assert.deepEqual(desk.log.map((line) => line.replace(/^attackalert: /, "")), [
    "TCP SYN/Normal scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23",
    "Host 10.77.0.1 has been blocked via nftables permanently",
    "TCP SYN/Normal scan from host: 10.77.0.1/10.77.0.1 to TCP port: 23",
    "Host: 10.77.0.1/10.77.0.1 is already blocked Ignoring",
  ]);
});

Deno.test("Recorder.record sums up a scan after its burst, but writes every ban and failure", () => {
  const desk = new Desk({ burst: 4 });
  for (let port = 0; port < 1000; port++) {
    desk.recorder.record([probeEvent("observe", { probe: probe({ port }) })]);
  }
  assert.equal(desk.log.length, 4);
  const failed = [{ ok: false, action: "nftables", error: "EPERM" }] as const;
  desk.recorder.record([probeEvent("block"), blockEvent(made), probeEvent("block"), blockEvent(failed)]);
  assert.equal(desk.log.length, 4 + 1 + 1 + 1 + 2);
  desk.nowMs = 60_000;
  desk.recorder.tick();
  assert.equal(desk.log.at(-1), "attackalert: 998 more probes from 10.77.0.1 on 998 ports in the last 60 s");
});

Deno.test("Recorder.record does not fill the log when bans of one source fail at every probe", () => {
  const desk = new Desk({ burst: 6 });
  const failed = [{ ok: false, action: "nftables", error: "EPERM" }] as const;
  for (let i = 0; i < 500; i++) desk.recorder.record([probeEvent("block"), blockEvent(failed)]);
  // 6 failures of 2 lines, their 6 scan lines, and 6 more scan lines of the usual burst.
  assert.equal(desk.log.length, 6 * 2 + 6 + 6);
  desk.nowMs = 60_000;
  desk.recorder.tick();
  assert.deepEqual(desk.log.slice(-2), [
    "attackalert: 488 more probes from 10.77.0.1 on 1 port in the last 60 s",
    "adminalert: ERROR: 494 more attempts to block 10.77.0.1 failed in the last 60 s",
  ]);
});

Deno.test("Recorder.record does not use up a source's lines for what the level hides", () => {
  const desk = new Desk({ burst: 2 });
  for (let i = 0; i < 100; i++) desk.recorder.record([probeEvent("below-trigger")]);
  assert.deepEqual(desk.log, []);
  desk.recorder.record([probeEvent("observe")]);
  assert.equal(desk.log.length, 2);
  desk.nowMs = 60_000;
  desk.recorder.tick();
  assert.equal(desk.log.length, 2);
});

Deno.test("Recorder.record says once that the history cannot be written and once that it can", () => {
  const desk = new Desk();
  desk.result = { ok: false, error: "Cannot append to /x: ENOSPC", lost: 0 };
  assert.deepEqual(desk.recorder.record([blockEvent(made)]), { isWritten: false });
  desk.recorder.record([blockEvent(made)]);
  assert.equal(desk.recorder.tick(), false);
  assert.equal(desk.log.filter((line) => line.includes("ENOSPC")).length, 1);
  desk.result = { ok: true, waiting: false };
  assert.equal(desk.recorder.tick(), true, "so that it is known that they were written");
  assert.equal(desk.log.at(-1), "adminalert: The history file can be written again");
  assert.deepEqual(desk.recorder.record([]), { isWritten: true });
  assert.equal(desk.recorder.tick(), false);
});

Deno.test("Recorder says nothing of a history that is being rotated, but that it is not written yet", () => {
  const desk = new Desk();
  desk.result = { ok: true, waiting: true };
  assert.deepEqual(desk.recorder.record([blockEvent(made)]), { isWritten: false });
  assert.equal(desk.recorder.tick(), false);
  desk.result = { ok: true, waiting: false };
  assert.equal(desk.recorder.tick(), true);
  assert.ok(!desk.log.some((line) => line.includes("history")));
});

Deno.test("Recorder writes one JSON object for each event, and for a summary", () => {
  const desk = new Desk({ format: "json", burst: 1 });
  desk.recorder.record([
    probeEvent("observe"),
    probeEvent("observe"),
    blockEvent(made),
    probeEvent("below-trigger"),
  ]);
  desk.recorder.close();
  const types = desk.log.map((line) => JSON.parse(line).type);
  assert.deepEqual(types, ["probe", "block", "suppressed"]);
  assert.deepEqual(JSON.parse(desk.log[2] ?? ""), {
    type: "suppressed",
    time: TIME,
    what: "probe",
    source: "10.77.0.1",
    probes: 1,
    ports: 1,
    seconds: 60,
  });
});

Deno.test("Recorder.reconfigure writes what the old limits left out, and forgets no offence", () => {
  const desk = new Desk({ burst: 1 });
  desk.recorder.record([probeEvent("observe"), probeEvent("observe")]);
  desk.recorder.reconfigure({ burst: 9, intervalSeconds: 60, windowSeconds: 600, maxSources: 1024 });
  assert.match(desk.log.at(-1) ?? "", /1 more probe/);
  desk.recorder.record([probeEvent("observe")]);
  assert.equal(desk.history.length, 1);
});

Deno.test("Recorder.tick tells now and then how many observed sources the history left out", () => {
  const desk = new Desk();
  const flood = (second: number): void => {
    const events = Array.from({ length: OBSERVED_LINES.atOnce + 5 }, (_, index) =>
      probeEvent("observe", {
        probe: probe({ source: `10.${second}.${index >> 8}.${index & 255}` }),
      }));
    desk.recorder.record(events);
  };
  flood(1);
  desk.recorder.tick();
  flood(2);
  desk.nowMs += 1000;
  desk.recorder.tick();
  const told = (): readonly string[] => desk.log.filter((line) => line.includes("left out of the history"));
  assert.deepEqual(told().map((line) => parseInt(line.replace(/^\D*/, ""))), [5]);
  desk.nowMs += 60_000;
  desk.recorder.tick();
  assert.deepEqual(told().map((line) => parseInt(line.replace(/^\D*/, ""))), [5, OBSERVED_LINES.atOnce + 5]);
  assert.equal(desk.history.length, OBSERVED_LINES.atOnce);
});
