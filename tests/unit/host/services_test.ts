/** The beat of ServiceWatch. @module */
import assert from "node:assert/strict";
import { Grace, type GraceChange } from "../../../src/detect/grace.ts";
import { SyscallError } from "../../../src/errors.ts";
import { ServiceWatch } from "../../../src/host/services.ts";
import type { Listener } from "../../../src/net/listener.ts";

const SSH: Listener = { protocol: "tcp", address: undefined, port: 22, loopback: false };

Deno.test("ServiceWatch looks at once and each second, and tells only changes", () => {
  let listeners: readonly Listener[] = [SSH];
  let now = 0;
  let tick = (): void => assert.fail("no timer was asked for");
  let stopped = 0;
  const told: GraceChange[] = [];
  const watch = new ServiceWatch({
    sockets: { listeners: () => listeners },
    grace: new Grace({ graceSeconds: 600 }),
    now: () => now,
    onChange: (change) => told.push(change),
    every: (ms, body) => {
      assert.equal(ms, 1000);
      tick = body;
      return { [Symbol.dispose]: () => stopped++ };
    },
  });
  watch.start();
  assert.equal(told.length, 1);
  now = 1;
  tick();
  assert.equal(told.length, 1, "nothing changed");
  listeners = [];
  now = 2;
  tick();
  assert.deepEqual(told[1], {
    put: [{ protocol: "tcp", address: undefined, port: 22, seconds: 600 }],
    drop: [],
  });
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  assert.equal(stopped, 1);
});

Deno.test("ServiceWatch keeps what it knows when the kernel does not answer, and counts it", () => {
  const grace = new Grace({ graceSeconds: 600 });
  let fails = false;
  const watch = new ServiceWatch({
    sockets: {
      listeners: () => {
        if (fails) throw new SyscallError("list tcp sockets", "ENOBUFS");
        return [SSH];
      },
    },
    grace,
    now: () => 0,
    onChange: (change) => assert.equal(change.put[0]?.seconds, undefined, "a listener was taken for gone"),
  });
  watch.look();
  fails = true;
  watch.look();
  assert.equal(grace.elements(0)[0]?.seconds, undefined);
  assert.equal(watch.unanswered.failures, 1);
  assert.equal(watch.unanswered.lastFailure, "list tcp sockets: ENOBUFS");
});
