/**
 * Events as JSON.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eventJson } from "../../../src/record/event_json.ts";
import type { ScanEvent } from "../../../src/record/event.ts";
import { blockEvent, probe, probeEvent, TIME } from "./fixtures.ts";

Deno.test("eventJson writes a probe with its members in the documented order", () => {
  assert.equal(
    eventJson(probeEvent("observe", { hostname: "a b", reason: "observe-only" })),
    '{"type":"probe","time":1795207546,"source":"10.77.0.1","dest":"10.77.0.2","protocol":"tcp","port":23,' +
      '"scan":"syn","source_port":40000,"flags":2,"ip_options":false,"verdict":"observe","reason":"observe-only",' +
      '"ports":1,"probes":1,"hostname":"a\\\\032b"}',
  );
});

Deno.test("eventJson writes a block with what each action did", () => {
  const event = blockEvent([
    { ok: true, action: "nftables" },
    { ok: false, action: "kill_route", error: "exit 1", detail: "/x" },
  ], { seconds: 60, probe: probe({ source: "fd77::1" }) });
  assert.equal(
    eventJson(event),
    '{"type":"block","time":1795207546,"source":"fd77::1","reason":"distinct-ports","ports":3,"probes":4,' +
      '"protocol":"tcp","port":23,"scan":"syn","result":"made","seconds":60,"offence":1,' +
      '"outcomes":[{"action":"nftables","ok":true},{"action":"kill_route","ok":false,"detail":"/x","error":"exit 1"}]}',
  );
});

Deno.test("eventJson writes releases and notices, and null for a ban without end", () => {
  assert.equal(
    eventJson({ type: "release", time: TIME, target: "10.0.0.0/24", cause: "unblocked", outcomes: [] }),
    '{"type":"release","time":1795207546,"target":"10.0.0.0/24","cause":"unblocked","outcomes":[]}',
  );
  assert.equal(
    eventJson({ type: "releases", time: TIME, cause: "expired", released: 3, failed: 1 }),
    '{"type":"releases","time":1795207546,"cause":"expired","released":3,"failed":1}',
  );
  assert.equal(
    eventJson({ type: "notice", time: TIME, level: "err", message: "x" }),
    '{"type":"notice","time":1795207546,"level":"err","message":"x"}',
  );
  assert.match(eventJson(blockEvent([])), /"result":"no-ban","seconds":null/);
});

Deno.test("eventJson is one line that parses back to the same text, whatever the text is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
    const event: ScanEvent = { type: "notice", time: TIME, level: "err", message: text };
    const json = eventJson(event);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(json, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
    assert.deepEqual(JSON.parse(json), event);
  }));
});
