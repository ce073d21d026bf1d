import assert from "node:assert/strict";
import { Firewall } from "../../../src/respond/firewall.ts";
import { FakeBackend } from "./fake_backend.ts";
import { prefix } from "../../lab/addresses.ts";

const A = { target: prefix("192.0.2.1"), seconds: 60 };
const B = { target: prefix("2001:db8::1"), seconds: undefined };

function firewall(backend: FakeBackend): { readonly firewall: Firewall; readonly waits: number[] } {
  const waits: number[] = [];
  const sleep = (milliseconds: number): Promise<void> => {
    waits.push(milliseconds);
    return Promise.resolve();
  };
  return { firewall: new Firewall(backend, sleep), waits };
}

Deno.test("Firewall.block tells the backend before it returns", async () => {
  const backend = new FakeBackend();
  const outcomes = firewall(backend).firewall.block([A, B]);
  assert.deepEqual(backend.calls, ["block 192.0.2.1 2001:db8::1"]);
  assert.deepEqual((await outcomes).map((outcome) => outcome.ok), [true, true]);
});

Deno.test("Firewall.block tries a failed ban again, a bounded number of times", async () => {
  const backend = new FakeBackend();
  backend.failures = 2;
  const { firewall: wall, waits } = firewall(backend);
  assert.deepEqual((await wall.block([A])).map((outcome) => outcome.ok), [true]);
  assert.deepEqual(waits, [50, 500]);

  backend.failures = 99;
  const [outcome] = await wall.block([A]);
  assert.deepEqual(outcome, { ok: false, action: "nftables", error: "refused" });
  assert.equal(backend.failures, 96, "three attempts");
});

Deno.test("Firewall.block mends what somebody removed before it tries again", async () => {
  const backend = new FakeBackend();
  backend.failures = 1;
  backend.healthy = false;
  await firewall(backend).firewall.block([A]);
  assert.deepEqual(backend.calls, ["block 192.0.2.1", "setup", "block 192.0.2.1"]);
});

Deno.test("F1: Firewall turns an exception into a failed outcome for each ban", async () => {
  const backend = new FakeBackend();
  backend.failures = 99;
  backend.throws = true;
  const outcomes = await firewall(backend).firewall.block([A, B]);
  assert.deepEqual(outcomes, [A, B].map(() => ({ ok: false, action: "nftables", error: "backend threw" })));
});

Deno.test("Firewall keeps the order of bans and releases that come while it is busy", async () => {
  const backend = new FakeBackend();
  const { firewall: wall } = firewall(backend);
  await Promise.all([
    wall.block([A]),
    wall.release([A.target]),
    wall.block([A]),
    wall.block([B]),
    wall.release([B.target]),
  ]);
  assert.deepEqual(backend.calls, [
    "block 192.0.2.1",
    "release 192.0.2.1",
    "block 192.0.2.1 2001:db8::1",
    "release 2001:db8::1",
  ]);
  assert.deepEqual([...backend.banned.keys()], ["192.0.2.1"]);
});

Deno.test("Firewall.restore bans what is wanted, releases what is not, and spares what keep says", async () => {
  const backend = new FakeBackend();
  for (const text of ["192.0.2.8", "192.0.2.9", "192.0.2.1"]) backend.banned.set(text, 5);
  backend.healthy = false;
  const kept = prefix("192.0.2.9");
  const outcomes = await firewall(backend).firewall.restore(
    [A, B],
    (target) => target.address.w3 === kept.address.w3,
  );
  assert.ok(outcomes.every((outcome) => outcome.ok));
  assert.deepEqual([...backend.banned.keys()].sort(), ["192.0.2.1", "192.0.2.9", "2001:db8::1"]);
  assert.equal(backend.banned.get("192.0.2.1"), 60, "with the remaining time");
  assert.equal(backend.calls[0], "setup");
});

const THERE: readonly (readonly [string, number | undefined, number | undefined, boolean])[] = [
  ["as long", 60, 60, false],
  ["a little longer in the kernel", 64, 60, false],
  ["much longer in the kernel", 66, 60, true],
  ["shorter in the kernel", 59, 60, true],
  ["permanent in both", undefined, undefined, false],
  ["permanent in the kernel only", undefined, 60, true],
  ["permanent in the state only", 60, undefined, true],
];

for (const [what, there, wanted, isTouched] of THERE) {
  Deno.test(`Firewall.restore leaves what is there already alone: ${what}`, async () => {
    const backend = new FakeBackend();
    backend.banned.set("192.0.2.1", there);
    await firewall(backend).firewall.restore([{ target: prefix("192.0.2.1"), seconds: wanted }], () => false);
    assert.equal(backend.calls.some((call) => call === "block 192.0.2.1"), isTouched);
    assert.equal(backend.banned.get("192.0.2.1"), isTouched ? wanted : there);
  });
}

Deno.test("Firewall says once that a ban made the backend set itself up again, so that the others are restored", async () => {
  const backend = new FakeBackend();
  const wall = firewall(backend).firewall;
  backend.healthy = false;
  backend.failures = 1;
  const [outcome] = await wall.block([A]);
  assert.equal(outcome?.ok, true);
  assert.equal(wall.takeMended(), true);
  assert.equal(wall.takeMended(), false);
  backend.healthy = false;
  await wall.restore([A], () => false);
  assert.equal(wall.takeMended(), false, "everything was put back");
});
