/** Grace as a table of what happens second by second. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Grace, type GraceElement, type SavedPort, type Standing } from "../../../src/detect/grace.ts";
import { type Address, formatAddress } from "../../../src/net/address.ts";
import { type Listener, SOCKET_PROTOCOLS, type SocketProtocol } from "../../../src/net/listener.ts";
import { address } from "../../lab/addresses.ts";

const GRACE = 600;
const ETH0 = address("10.77.0.1");
const LAN = address("192.168.1.1");
const SIX = address("fd77::1");

/** `tcp * 22`, `udp 10.77.0.1 53`, `tcp 127.0.0.1 631 loopback`. */
function listener(text: string): Listener {
  const [protocol, at, port, loopback] = text.split(" ");
  return {
    protocol: SOCKET_PROTOCOLS.find((name) => name === protocol) ?? "tcp",
    address: at === "*" ? undefined : address(at ?? ""),
    port: Number(port),
    loopback: loopback === "loopback",
  };
}

function line({ protocol, address: at, port, seconds }: GraceElement): string {
  return `${protocol} ${at === undefined ? "*" : formatAddress(at)} ${port} ${seconds ?? "present"}`;
}

const CASES: readonly {
  readonly what: string;
  /** Who listens at which second. */
  readonly looks: readonly (readonly [number, readonly string[]])[];
  readonly question: readonly [SocketProtocol, Address, number];
  readonly at: number;
  readonly standing: Standing;
}[] = [
  { what: "nobody ever listened", looks: [[0, []]], question: ["tcp", ETH0, 22], at: 1, standing: "trap" },
  {
    what: "a wildcard listener is there",
    looks: [[0, ["tcp * 22"]]],
    question: ["tcp", ETH0, 22],
    at: 1,
    standing: "served",
  },
  {
    what: "the same over IPv6",
    looks: [[0, ["tcp * 22"]]],
    question: ["tcp", SIX, 22],
    at: 1,
    standing: "served",
  },
  {
    what: "another protocol is asked",
    looks: [[0, ["tcp * 22"]]],
    question: ["udp", ETH0, 22],
    at: 1,
    standing: "trap",
  },
  {
    what: "another port is asked",
    looks: [[0, ["tcp * 22"]]],
    question: ["tcp", ETH0, 23],
    at: 1,
    standing: "trap",
  },
  {
    what: "it has just gone",
    looks: [[0, ["tcp * 22"]], [1, []]],
    question: ["tcp", ETH0, 22],
    at: 1,
    standing: "grace",
  },
  {
    what: "its grace is all but over",
    looks: [[0, ["tcp * 22"]], [1, []]],
    question: ["tcp", ETH0, 22],
    at: 600.9,
    standing: "grace",
  },
  {
    what: "its grace is over",
    looks: [[0, ["tcp * 22"]], [1, []]],
    question: ["tcp", ETH0, 22],
    at: 601,
    standing: "trap",
  },
  {
    what: "it came back",
    looks: [[0, ["tcp * 22"]], [1, []], [5, ["tcp * 22"]]],
    question: ["tcp", ETH0, 22],
    at: 900,
    standing: "served",
  },
  {
    what: "it came back and went again: the grace begins anew",
    looks: [[0, ["tcp * 22"]], [1, []], [500, ["tcp * 22"]], [501, []]],
    question: ["tcp", ETH0, 22],
    at: 1100,
    standing: "grace",
  },
  {
    what: "F17: only this host can reach it",
    looks: [[0, ["tcp 127.0.0.1 631 loopback"]]],
    question: ["tcp", ETH0, 631],
    at: 0,
    standing: "trap",
  },
  {
    what: "F17: only this host could reach what went",
    looks: [[0, ["udp * 323 loopback"]], [1, []]],
    question: ["udp", ETH0, 323],
    at: 1,
    standing: "trap",
  },
  {
    what: "it serves this address",
    looks: [[0, ["tcp 192.168.1.1 80"]]],
    question: ["tcp", LAN, 80],
    at: 0,
    standing: "served",
  },
  {
    what: "it serves another address alone",
    looks: [[0, ["tcp 192.168.1.1 80"]]],
    question: ["tcp", ETH0, 80],
    at: 0,
    standing: "trap",
  },
  {
    what: "it served another address alone",
    looks: [[0, ["tcp 192.168.1.1 80"]], [1, []]],
    question: ["tcp", ETH0, 80],
    at: 1,
    standing: "trap",
  },
  {
    what: "the wildcard one went, the one of this address stays",
    looks: [[0, ["tcp * 80", "tcp 10.77.0.1 80"]], [1, ["tcp 10.77.0.1 80"]]],
    question: ["tcp", ETH0, 80],
    at: 2,
    standing: "served",
  },
  {
    what: "the wildcard one went, another address is asked",
    looks: [[0, ["tcp * 80", "tcp 10.77.0.1 80"]], [1, ["tcp 10.77.0.1 80"]]],
    question: ["tcp", LAN, 80],
    at: 2,
    standing: "grace",
  },
  {
    what: "the port is a listener over SCTP",
    looks: [[0, ["sctp * 3868"]]],
    question: ["sctp", ETH0, 3868],
    at: 0,
    standing: "served",
  },
];

for (const { what, looks, question: [protocol, dest, port], at, standing } of CASES) {
  Deno.test(`Grace calls a port ${standing} when ${what}`, () => {
    const grace = new Grace({ graceSeconds: GRACE });
    for (const [now, listeners] of looks) grace.update(listeners.map(listener), now);
    assert.equal(grace.standing({ protocol, dest, port }, at), standing);
  });
}

Deno.test("Grace.update tells each change once, and nothing when nothing changed", () => {
  const grace = new Grace({ graceSeconds: GRACE });
  const look = (now: number, ...listeners: string[]): string[] => {
    const { put, drop } = grace.update(listeners.map(listener), now);
    assert.deepEqual(drop, []);
    return put.map(line);
  };
  assert.deepEqual(look(0, "tcp * 22", "udp 10.77.0.1 53", "tcp ::1 25 loopback"), [
    "tcp * 22 present",
    "udp 10.77.0.1 53 present",
  ]);
  assert.deepEqual(look(1, "tcp * 22", "tcp * 22", "udp 10.77.0.1 53"), []);
  assert.deepEqual(look(2, "tcp * 22"), ["udp 10.77.0.1 53 600"]);
  assert.deepEqual(look(3, "tcp * 22"), []);
  assert.deepEqual(look(4, "tcp * 22", "udp 10.77.0.1 53"), ["udp 10.77.0.1 53 present"]);
  assert.deepEqual(look(5), ["tcp * 22 600", "udp 10.77.0.1 53 600"]);
  assert.deepEqual(grace.elements(105).map(line), ["tcp * 22 500", "udp 10.77.0.1 53 500"]);
  assert.deepEqual(look(605), []);
  assert.deepEqual(grace.elements(605), []);
});

Deno.test("Grace without any grace takes a port out as soon as it is lost", () => {
  const grace = new Grace({ graceSeconds: 0 });
  grace.update([listener("tcp * 22")], 0);
  const { put, drop } = grace.update([], 1);
  assert.deepEqual(put, []);
  assert.deepEqual(drop, [{ protocol: "tcp", address: undefined, port: 22 }]);
  assert.equal(grace.standing({ protocol: "tcp", dest: ETH0, port: 22 }, 1), "trap");
  assert.deepEqual(grace.remember(1), []);
});

Deno.test("Grace follows only ports that would be traps", () => {
  const grace = new Grace({
    graceSeconds: GRACE,
    trapped: (protocol, port) => protocol === "tcp" && port < 1024,
  });
  const { put } = grace.update(["tcp * 22", "udp * 53", "tcp * 8080"].map(listener), 0);
  assert.deepEqual(put.map(line), ["tcp * 22 present"]);
});

Deno.test("Grace.restore gives grace from the start to what had a listener before a reboot", () => {
  const before = new Grace({ graceSeconds: GRACE });
  before.update(["tcp * 22", "tcp 10.77.0.1 80", "udp fd77::1 53"].map(listener), 0);
  before.update(["tcp * 22", "tcp 10.77.0.1 80"].map(listener), 1000);
  const saved = JSON.parse(JSON.stringify(before.remember(1100)));

  const after = new Grace({ graceSeconds: GRACE });
  assert.deepEqual(after.restore(saved, 0).put.map(line), [
    "tcp * 22 600",
    "tcp 10.77.0.1 80 600",
    "udp fd77::1 53 500",
  ]);
  assert.equal(after.standing({ protocol: "tcp", dest: LAN, port: 22 }, 599), "grace");
  assert.equal(after.standing({ protocol: "tcp", dest: LAN, port: 22 }, 600), "trap");
  assert.equal(after.standing({ protocol: "tcp", dest: LAN, port: 80 }, 1), "trap");
  assert.deepEqual(after.update([listener("tcp * 22")], 2).put.map(line), ["tcp * 22 present"]);
});

const NONSENSE: readonly SavedPort[] = [
  { protocol: "tcp", address: "", port: 0, seconds: 9 },
  { protocol: "tcp", address: "", port: 65536, seconds: 9 },
  { protocol: "tcp", address: "", port: 1.5, seconds: 9 },
  { protocol: "tcp", address: "", port: 22, seconds: 0 },
  { protocol: "tcp", address: "", port: 22, seconds: -1 },
  { protocol: "tcp", address: "", port: 22, seconds: NaN },
  { protocol: "tcp", address: "127.0.0.1", port: 22, seconds: 9 },
  { protocol: "tcp", address: "everywhere", port: 22, seconds: 9 },
];
Deno.test("Grace.restore passes over what makes no sense, and never gives more than the configured grace", () => {
  const grace = new Grace({ graceSeconds: GRACE });
  assert.deepEqual(grace.restore(NONSENSE, 0).put, []);
  const endless: SavedPort = { protocol: "tcp", address: "", port: 22, seconds: Infinity };
  assert.deepEqual(grace.restore([endless], 0).put.map(line), ["tcp * 22 600"]);
});

Deno.test("Grace follows 4,096 ports and counts those beyond", () => {
  const grace = new Grace({ graceSeconds: GRACE });
  const many = Array.from({ length: 5000 }, (_, i) => listener(`tcp * ${i + 1}`));
  assert.equal(grace.update(many, 0).put.length, 4096);
  assert.equal(grace.passedOver, 904);
  grace.update([], 1);
  grace.update([], 1 + GRACE);
  assert.equal(grace.update(many, 2 + GRACE).put.length, 4096, "no room after the grace was over");
});

Deno.test("Grace keeps a copy that follows its changes equal to its elements, whatever happens", () => {
  const text = fc.constantFrom(
    "tcp * 22",
    "tcp 10.77.0.1 22",
    "udp * 53",
    "udp fd77::1 53",
    "tcp ::1 25 loopback",
  );
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(400), fc.uniqueArray(text)), { maxLength: 30 }), (looks) => {
    const grace = new Grace({ graceSeconds: GRACE });
    const copy = new Map<string, number>();
    let now = 0;
    for (const [pass, listeners] of looks) {
      now += pass;
      const { put, drop } = grace.update(listeners.map(listener), now);
      for (const element of put) {
        copy.set(name(element), element.seconds === undefined ? Infinity : now + element.seconds);
      }
      for (const element of drop) copy.delete(name(element));
      const there = [...copy].filter(([, until]) => until > now);
      const elements = grace.elements(now).map((
        e,
      ) => [name(e), e.seconds === undefined ? Infinity : now + e.seconds]);
      assert.deepEqual(new Map(there), new Map(elements as [string, number][]));
    }
  }));
});

function name({ protocol, address: at, port }: Omit<GraceElement, "seconds">): string {
  return `${protocol} ${at === undefined ? "*" : formatAddress(at)} ${port}`;
}
