import assert from "node:assert/strict";
import { capabilitiesIn, NEEDED } from "../../../src/system/confine.ts";

const STATUS = "CapInh:\t0000000000000000\nCapPrm:\t0000000000003400\nCapBnd:\t8000000000000001\n";

Deno.test("capabilitiesIn reads the bits of a set, the lowest and the highest too", () => {
  assert.deepEqual(capabilitiesIn(STATUS, "CapInh"), []);
  assert.deepEqual(capabilitiesIn(STATUS, "CapPrm"), [...NEEDED]);
  assert.deepEqual(capabilitiesIn(STATUS, "CapBnd"), [0, 63]);
  assert.deepEqual(capabilitiesIn(STATUS, "CapAmb"), [], "a kernel that does not have the set");
});

Deno.test("the unit of systemd lets the daemon keep what it needs, and nothing else", async () => {
  const names = ["CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_NET_RAW"];
  const unit = await Deno.readTextFile(new URL("../../../debian/portsnare.service", import.meta.url));
  const set = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1] ?? "";
  assert.deepEqual(set.split(" ").toSorted(), names.toSorted());
  assert.equal(NEEDED.length, names.length);
});
