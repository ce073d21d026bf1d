import assert from "node:assert/strict";
import { selectBackend } from "../../../src/respond/select.ts";
import { FakeBackend } from "./fake_backend.ts";
import { prefix } from "../../lab/addresses.ts";

Deno.test("selectBackend gives the backend that actions.firewall names", async () => {
  const parts = {
    exec: () => Promise.reject(new Error("nothing is to be run")),
    nftables: () => new FakeBackend(),
    hasIpv6: () => true,
  };
  for (const firewall of ["nftables", "iptables", "route", "none"] as const) {
    assert.equal(selectBackend(firewall, parts).name, firewall);
  }
  const none = selectBackend("none", parts);
  await none.setup();
  assert.deepEqual(await none.block([{ target: prefix("192.0.2.1"), seconds: 5 }]), [{
    ok: true,
    action: "none",
  }]);
  assert.deepEqual(await none.list(), []);
  assert.deepEqual(await none.check(), { ok: true });
  await none.teardown();
});
