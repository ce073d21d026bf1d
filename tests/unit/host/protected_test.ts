/** Which addresses are never banned, from facts made up here. @module */
import assert from "node:assert/strict";
import { SyscallError } from "../../../src/errors.ts";
import {
  ProtectedAddresses,
  type ProtectedChange,
  type ProtectSettings,
} from "../../../src/host/protected.ts";
import { formatAddress } from "../../../src/net/address.ts";
import { PortSet } from "../../../src/net/ports.ts";
import { address } from "../../lab/addresses.ts";

const ALL: ProtectSettings = {
  protect: ["own-addresses", "gateways", "resolvers", "sessions"],
  session_ports: PortSet.of(22),
};

/** A host whose facts the test sets, and whose clock stands still but for what each question costs. */
class FakeHost {
  own = ["10.77.0.1", "127.0.0.1"];
  gates = ["10.77.0.254"];
  servers = ["192.0.2.53"];
  peers: readonly string[] = [];
  dumpMs = 0.1;
  fails = false;
  asked = 0;
  nowMs = 0;
  readonly #listeners: (() => void)[] = [];

  readonly routes = {
    addresses: () => this.own.map(address),
    gateways: () => this.gates.map(address),
    onChange: (listener: () => void) => void this.#listeners.push(listener),
  };
  readonly resolvers = {
    addresses: () => this.servers.map(address),
    onChange: (listener: () => void) => void this.#listeners.push(listener),
  };
  readonly sockets = {
    sessionPeers: () => {
      this.asked++;
      this.nowMs += this.dumpMs;
      if (this.fails) throw new SyscallError("list tcp sockets", "ENOBUFS");
      return this.peers.map(address);
    },
  };
  readonly monotonicMs = () => this.nowMs;

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function entries(guard: ProtectedAddresses): string[] {
  return guard.entries().map((entry) => `${formatAddress(entry.address)} ${entry.reason}`).sort();
}

Deno.test("F2, F3: ProtectedAddresses names the host itself, its gateway, its resolver and who is logged in", () => {
  const host = new FakeHost();
  host.peers = ["198.51.100.7"];
  const guard = new ProtectedAddresses(ALL, host);
  assert.deepEqual(entries(guard), [
    "10.77.0.1 own-address",
    "10.77.0.254 gateway",
    "127.0.0.1 own-address",
    "192.0.2.53 resolver",
    "198.51.100.7 session",
  ]);
  assert.equal(guard.reasonFor(address("10.77.0.254")), "gateway");
  assert.equal(guard.reasonFor(address("127.8.8.8")), "own-address");
  assert.equal(guard.reasonFor(address("10.77.0.2")), undefined);
});

Deno.test("F19: an address that begins with a protected one is another address", () => {
  const guard = new ProtectedAddresses(ALL, new FakeHost());
  assert.equal(guard.reasonFor(address("10.77.0.1")), "own-address");
  assert.equal(guard.reasonFor(address("10.77.0.11")), undefined);
});

Deno.test("ProtectedAddresses gives the strongest of several reasons", () => {
  const host = new FakeHost();
  host.servers = ["10.77.0.254", "10.77.0.1"];
  host.peers = ["10.77.0.254"];
  const guard = new ProtectedAddresses(ALL, host);
  assert.equal(guard.reasonFor(address("10.77.0.254")), "gateway");
  assert.equal(guard.reasonFor(address("10.77.0.1")), "own-address");
});

for (const left of ALL.protect) {
  Deno.test(`ProtectedAddresses protects nothing by "${left}" when the configuration leaves it out`, () => {
    const host = new FakeHost();
    host.peers = ["198.51.100.7"];
    const guard = new ProtectedAddresses(
      { ...ALL, protect: ALL.protect.filter((name) => name !== left) },
      host,
    );
    const lost = {
      "own-addresses": "own-address",
      gateways: "gateway",
      resolvers: "resolver",
      sessions: "session",
    }[left];
    assert.equal(entries(guard).length, left === "own-addresses" ? 3 : 4);
    assert.ok(entries(guard).every((entry) => !entry.endsWith(lost)));
    guard.configure(ALL);
    assert.equal(entries(guard).length, 5);
  });
}

Deno.test("ProtectedAddresses tells exactly what was added and removed", () => {
  const host = new FakeHost();
  const guard = new ProtectedAddresses(ALL, host);
  const told: string[] = [];
  const text = (change: ProtectedChange): string =>
    `+${change.added.map(formatAddress).join()} -${change.removed.map(formatAddress).join()}`;
  guard.onChange((change) => told.push(text(change)));
  host.gates = ["10.77.0.253"];
  host.changed();
  host.changed();
  host.peers = ["10.77.0.9"];
  guard.refreshSessions();
  guard.refreshSessions();
  host.peers = [];
  guard.refreshSessions();
  assert.deepEqual(told, ["+10.77.0.253 -10.77.0.254", "+10.77.0.9 -", "+ -10.77.0.9"]);
});

Deno.test("ProtectedAddresses asks for sessions less often when that is expensive, and again when it is not", () => {
  const host = new FakeHost();
  const guard = new ProtectedAddresses(ALL, host);
  const asksIn = (seconds: number): number => {
    const before = host.asked;
    for (let i = 0; i < seconds; i++) {
      host.nowMs += 1000;
      guard.refreshSessions();
    }
    return host.asked - before;
  };
  assert.equal(asksIn(20), 20);
  host.dumpMs = 2.5;
  assert.equal(asksIn(21), 5, "2.5 ms each should be asked every fifth second");
  host.dumpMs = 0.1;
  assert.ok(asksIn(20) >= 15);
});

Deno.test("ProtectedAddresses goes on asking each second when a single look had to wait for a busy processor", () => {
  const host = new FakeHost();
  const guard = new ProtectedAddresses(ALL, host);
  for (let i = 0; i < 10; i++) {
    const before = host.asked;
    host.dumpMs = i % 2 === 0 ? 50 : 0.1;
    host.nowMs += 1000;
    guard.refreshSessions();
    assert.equal(host.asked - before, 1);
  }
});

Deno.test("ProtectedAddresses.isSessionNow sees who logged in since, by one look for a batch", () => {
  const host = new FakeHost();
  const guard = new ProtectedAddresses(ALL, host);
  host.nowMs += 500;
  host.peers = ["10.77.0.9"];
  assert.equal(guard.reasonFor(address("10.77.0.9")), undefined);
  const before = host.asked;
  assert.equal(guard.isSessionNow(address("10.77.0.9")), true);
  for (let i = 0; i < 100; i++) assert.equal(guard.isSessionNow(address("10.77.0.8")), false);
  assert.equal(host.asked - before, 1);
  assert.equal(guard.reasonFor(address("10.77.0.9")), "session");
});

Deno.test("ProtectedAddresses.isSessionNow sees who logged in a moment ago, however much a look costs", () => {
  const host = new FakeHost();
  host.dumpMs = 40;
  const guard = new ProtectedAddresses(ALL, host);
  guard.refreshSessions();
  host.nowMs += 3;
  host.peers = ["10.77.0.9"];
  assert.equal(guard.isSessionNow(address("10.77.0.9")), true);
});

Deno.test("ProtectedAddresses.isSessionNow takes a hundredth of the time when it is asked without end", () => {
  const host = new FakeHost();
  host.dumpMs = 5;
  const guard = new ProtectedAddresses(ALL, host);
  const asksIn = (seconds: number): number => {
    const [before, end] = [host.asked, host.nowMs + seconds * 1000];
    while (host.nowMs < end) {
      host.nowMs += 0.5;
      guard.isSessionNow(address("10.77.0.8"));
    }
    return host.asked - before;
  };
  const first = asksIn(1);
  assert.ok(first >= 20 && first <= 25, `${first} in the first second`);
  assert.equal(asksIn(100), 200);
});

Deno.test("ProtectedAddresses keeps the last known sessions when the kernel does not answer, and counts it", () => {
  const host = new FakeHost();
  host.peers = ["10.77.0.9"];
  const guard = new ProtectedAddresses(ALL, host);
  host.fails = true;
  host.nowMs += 1000;
  guard.refreshSessions();
  assert.equal(guard.reasonFor(address("10.77.0.9")), "session");
  assert.equal(guard.unanswered.failures, 1);
  assert.equal(guard.unanswered.lastFailure, "list tcp sockets: ENOBUFS");
});
