import assert from "node:assert/strict";
import { TranslatedPorts } from "../../../src/host/translated_ports.ts";

const MINUTE = 60_000;

Deno.test("TranslatedPorts remembers a port for a minute from when it was last learnt", () => {
  let now = 0;
  const ports = new TranslatedPorts(() => now);
  ports.learn({ protocol: "tcp", port: 80 });
  now = MINUTE - 1;
  assert.deepEqual(ports.ports(), [{ protocol: "tcp", port: 80 }]);
  ports.learn({ protocol: "tcp", port: 80 });
  now = 2 * MINUTE - 2;
  assert.equal(ports.ports().length, 1);
  now = 2 * MINUTE - 1;
  assert.deepEqual(ports.ports(), []);
});

Deno.test("TranslatedPorts tells protocols apart", () => {
  const ports = new TranslatedPorts(() => 0);
  ports.learn({ protocol: "tcp", port: 53 });
  ports.learn({ protocol: "udp", port: 53 });
  assert.deepEqual(ports.ports(), [{ protocol: "tcp", port: 53 }, { protocol: "udp", port: 53 }]);
});

Deno.test("TranslatedPorts keeps nothing but what it has to know of a packet", () => {
  const ports = new TranslatedPorts(() => 0);
  const packet = { protocol: "tcp", port: 53, source: "somebody" } as const;
  ports.learn(packet);
  assert.deepEqual(ports.ports(), [{ protocol: "tcp", port: 53 }]);
});

Deno.test("TranslatedPorts at its bound passes newcomers over, renews what it knows, and has room again later", () => {
  let now = 0;
  const ports = new TranslatedPorts(() => now);
  for (let port = 1; port <= 256; port++) ports.learn({ protocol: "tcp", port });
  ports.learn({ protocol: "tcp", port: 257 });
  assert.equal(ports.ports().length, 256);
  assert.ok(!ports.ports().some(({ port }) => port === 257));
  now = MINUTE - 1;
  ports.learn({ protocol: "tcp", port: 1 });
  now = MINUTE;
  ports.learn({ protocol: "tcp", port: 257 });
  assert.deepEqual(ports.ports().map(({ port }) => port), [1, 257]);
});
