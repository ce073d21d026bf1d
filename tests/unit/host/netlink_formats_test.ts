/** Everything of this folder that reads the kernel's bytes, fed with bytes that no kernel would send. @module */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readFlowCount, readReplier, writeFlowQuestion } from "../../../src/host/ctnetlink.ts";
import {
  listRequest,
  lookupRequest,
  MAX_FILTER_RANGES,
  portFilter,
  readBytesReceived,
  readLocalAddresses,
  readSocket,
  tcpListRequest,
} from "../../../src/host/inet_diag.ts";
import { leadsOut, readDefaultGateways, readInterfaceAddress } from "../../../src/host/rtnetlink.ts";
import { parseSctpEndpoints } from "../../../src/host/sctp_endpoints.ts";
import { formatAddress } from "../../../src/net/address.ts";
import type { IncomingPacket } from "../../../src/net/listener.ts";
import { NetlinkWriter, readMessages } from "../../../src/net/netlink_message.ts";
import { PortSet } from "../../../src/net/ports.ts";
import { address } from "../../lab/addresses.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    (hex.replaceAll(/\s|#.*$/gm, "").match(/../g) ?? []).map((byte) => parseInt(byte, 16)),
  );
}

function packet(protocol: IncomingPacket["protocol"], dest: string, source: string): IncomingPacket {
  return { protocol, dest: address(dest), port: 22, source: address(source), sourcePort: 40000 };
}

/** One socket as `strace -e recvmsg ss -ltn` shows it: struct inet_diag_msg, 72 bytes, of sshd on 0.0.0.0:22. */
const LISTENING = `
  02 0a 00 00                                      # AF_INET, TCP_LISTEN
  00 16 00 00                                      # ports 22 and 0
  00000000 00000000 00000000 00000000              # source
  00000000 00000000 00000000 00000000              # destination
  00000000 01000000 00000000                       # interface, cookie
  00000000 00000000 80000000 00000000 a1b2c300     # expires, queues, uid, inode`;

Deno.test("readSocket reads a listening socket", () => {
  assert.deepEqual(readSocket(bytes(LISTENING)), {
    state: 10,
    local: undefined,
    localPort: 22,
    remote: undefined,
    remotePort: 0,
    interface: 0,
  });
});

Deno.test("readSocket reads the IPv4 peer of a dual-stack socket as IPv4", () => {
  const session = bytes(`
    0a 01 00 00
    01 bb 9c 40
    00000000 00000000 0000ffff 0a4d0001
    00000000 00000000 0000ffff 0a4d0002
    02000000 01000000 00000000
    00000000 00000000 00000000 00000000 00000000`);
  const socket = readSocket(session);
  assert.equal(formatAddress(socket?.remote ?? address("::")), "10.77.0.2");
  assert.equal(formatAddress(socket?.local ?? address("::")), "10.77.0.1");
  assert.deepEqual([socket?.localPort, socket?.remotePort, socket?.interface], [443, 40000, 2]);
});

Deno.test("readSocket gives nothing for a message cut short or of another family", () => {
  const whole = bytes(LISTENING);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(readSocket(whole.slice(0, length)), undefined);
  }
  whole[0] = 1;
  assert.equal(readSocket(whole), undefined);
});

Deno.test("lookupRequest puts the two ends where tcp_diag and udp_diag want them", () => {
  const tcp = lookupRequest(packet("tcp", "10.77.0.1", "10.77.0.2"), 3);
  assert.equal(tcp.length, 56);
  assert.deepEqual([...tcp.subarray(0, 2), ...tcp.subarray(8, 16)], [2, 6, 0, 22, 0x9c, 0x40, 10, 77, 0, 1]);
  assert.deepEqual([...tcp.subarray(28, 32)], [10, 77, 0, 2]);
  assert.deepEqual([...tcp.subarray(44)], [3, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
  const udp = lookupRequest(packet("udp", "10.77.0.1", "10.77.0.2"), 0);
  assert.deepEqual([...udp.subarray(8, 16)], [0x9c, 0x40, 0, 22, 10, 77, 0, 2]);
  assert.deepEqual([...udp.subarray(28, 32)], [10, 77, 0, 1]);
  assert.equal(lookupRequest(packet("tcp", "fd77::1", "fd77::2"), 0)[0], 10);
});

Deno.test("listRequest names the states as bits", () => {
  const request = listRequest("udp", { family: 6, state: 7 });
  assert.deepEqual([...request.subarray(0, 8)], [10, 17, 0, 0, 128, 0, 0, 0]);
});

Deno.test("tcpListRequest names the state as a bit, behind the longer address part of the older form, and asks for tcp_info", () => {
  const request = tcpListRequest(1);
  assert.equal(request.length, 60);
  assert.deepEqual([...request.subarray(0, 4)], [0, 0, 0, 2]);
  assert.deepEqual([...request.subarray(48)], [0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("readBytesReceived reads tcp_info, and says nothing where an old kernel does not", () => {
  const info = (length: number): Uint8Array<ArrayBuffer> => {
    const message = new Uint8Array(72 + 4 + length);
    const view = new DataView(message.buffer);
    view.setUint16(72, 4 + length, true);
    view.setUint16(74, 2, true);
    if (length >= 136) view.setBigUint64(76 + 128, 0x1_0000_0003n, true);
    return message;
  };
  assert.equal(readBytesReceived(info(136)), 0x1_0000_0003n);
  assert.equal(readBytesReceived(info(232)), 0x1_0000_0003n);
  assert.equal(readBytesReceived(info(128)), undefined);
  assert.equal(readBytesReceived(new Uint8Array(72)), undefined);
});

/** What the kernel does with a filter (net/ipv4/inet_diag.c, inet_diag_bc_run). */
function accepts(program: Uint8Array, port: number): boolean {
  const view = new DataView(program.buffer);
  let at = 0;
  while (at < program.length) {
    const [code, yes, no] = [view.getUint8(at), view.getUint8(at + 1), view.getUint16(at + 2, true)];
    const operand = at + 6 < program.length ? view.getUint16(at + 6, true) : 0;
    const matched = code === 2 ? port >= operand : code === 3 ? port <= operand : false;
    const step = matched ? yes : no;
    assert.ok(
      step >= 4 && step % 4 === 0 && at + step <= program.length + 4,
      "the kernel refuses such a program",
    );
    at += step;
  }
  return at === program.length;
}

Deno.test("portFilter accepts exactly the ports of its ranges", () => {
  const port = fc.integer({ min: 0, max: 65535 });
  const range = fc.tuple(port, port).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
  fc.assert(fc.property(fc.array(range, { minLength: 1, maxLength: 40 }), port, (ranges, asked) => {
    const set = new PortSet(ranges);
    for (const probe of [asked, ...ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1])]) {
      if (probe >= 0 && probe <= 65535) {
        assert.equal(accepts(portFilter(set.ranges()), probe), set.has(probe));
      }
    }
  }));
});

Deno.test("portFilter stays within its jumps for as many ranges as it may be given", () => {
  const ranges = Array.from({ length: MAX_FILTER_RANGES }, (_, i) => ({ first: i * 20, last: i * 20 + 9 }));
  const program = portFilter(ranges);
  assert.ok(program.length < 65536 - 4);
  assert.equal(accepts(program, 0), true);
  assert.equal(accepts(program, (MAX_FILTER_RANGES - 1) * 20 + 9), true);
  assert.equal(accepts(program, 15), false);
});

Deno.test("readReplier reads back what a flow message says", () => {
  const writer = new NetlinkWriter();
  for (
    const [protocol, dest, source] of [["tcp", "10.77.0.1", "10.77.0.2"], [
      "udp",
      "fd77::1",
      "fd77::2",
    ]] as const
  ) {
    writer.reset();
    writer.message(
      { type: 0x101, flags: 1, sequence: 1 },
      () => writeFlowQuestion(writer, packet(protocol, dest, source)),
    );
    const [message] = readMessages(writer.bytes);
    assert.ok(message !== undefined);
    assert.equal(readReplier(message.payload), undefined, "a question has no reply direction");
    // The original direction of the question, relabelled as the reply direction (CTA_TUPLE_ORIG 1, CTA_TUPLE_REPLY 2).
    message.payload[6] = 2;
    const replier = readReplier(message.payload);
    assert.deepEqual([formatAddress(replier?.address ?? address("::")), replier?.port], [source, 40000]);
  }
});

Deno.test("readInterfaceAddress prefers the local end of a point-to-point link", () => {
  // ip address add 10.9.0.1 peer 10.9.0.2/32: IFA_ADDRESS is the other end.
  const message = bytes("02 20 80 00 02000000  0800 0100 0a090002  0800 0200 0a090001");
  assert.equal(formatAddress(readInterfaceAddress(message) ?? address("::")), "10.9.0.1");
});

const ROUTES: readonly [string, string, readonly string[]][] = [
  ["a default route", "02 00 00 00 fe 03 00 01 00000000  0800 0500 0a4d00fe", ["10.77.0.254"]],
  ["half of one", "02 01 00 00 fe 03 00 01 00000000  0800 0500 0a4d00fe", ["10.77.0.254"]],
  ["a route to one network", "02 18 00 00 fe 03 00 01 00000000  0800 0500 0a4d00fe", []],
  ["2000::/3", `0a 03 00 00 fe 03 00 01 00000000  1400 0500 fe80000000000000 0000000000000001`, ["fe80::1"]],
  ["2000::/4", `0a 04 00 00 fe 03 00 01 00000000  1400 0500 fe80000000000000 0000000000000001`, []],
  ["an unreachable default", "02 00 00 00 fe 03 00 07 00000000  0800 0500 0a4d00fe", []],
  ["a default without gateway", "02 00 00 00 fe 03 00 01 00000000  0800 0400 02000000", []],
  [
    "an IPv4 route by an IPv6 router",
    "02 00 00 00 fe 03 00 01 00000000  1600 1200 0a00 fe800000000000000000000000000009 0000",
    ["fe80::9"],
  ],
  [
    "two hops",
    "02 00 00 00 fe 03 00 01 00000000  2400 0900  1000 00 00 02000000 0800 0500 0a4d0001  1000 00 00 02000000 0800 0500 0a4d0002",
    ["10.77.0.1", "10.77.0.2"],
  ],
  ["a hop of no length", "02 00 00 00 fe 03 00 01 00000000  0c00 0900  0000 00 00 02000000", []],
  ["a gateway of the wrong size", "02 00 00 00 fe 03 00 01 00000000  0600 0500 0a4d 0000", []],
];
for (const [what, hex, expected] of ROUTES) {
  Deno.test(`readDefaultGateways reads ${what}`, () => {
    assert.deepEqual(readDefaultGateways(bytes(hex)).map(formatAddress), expected);
  });
}

const EPS = ` ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS
00000000a1b2c3d4 00000000d4c3b2a1 2   10  29   3868      0 20193 10.77.0.1 fd77::1
00000000a1b2c3d4 00000000d4c3b2a1 2   10  30   9900      0 20194 0.0.0.0
00000000a1b2c3d4 00000000d4c3b2a1 2   10  30   9901      0 20194 127.0.0.1
00000000a1b2c3d4 00000000d4c3b2a1 2   7   31   9999      0 20195 10.77.0.1
`;
Deno.test("parseSctpEndpoints reads the listening endpoints with every address they are bound to", () => {
  const text = parseSctpEndpoints(EPS).map((l) =>
    `${l.address === undefined ? "*" : formatAddress(l.address)} ${l.port} ${l.loopback}`
  );
  assert.deepEqual(text, [
    "10.77.0.1 3868 false",
    "fd77::1 3868 false",
    "* 9900 false",
    "127.0.0.1 9901 true",
  ]);
});

const READERS: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown>> = {
  readSocket,
  readBytesReceived,
  readLocalAddresses,
  readReplier,
  readFlowCount,
  readInterfaceAddress,
  readDefaultGateways,
  leadsOut,
  parseSctpEndpoints: (bytes) => parseSctpEndpoints(new TextDecoder().decode(bytes)),
};
for (const [name, read] of Object.entries(READERS)) {
  Deno.test(`${name} takes any bytes without throwing`, () => {
    // The first byte of every header is the family; the rest as it comes, and as attributes with lying lengths.
    const any = fc.uint8Array({ maxLength: 400 });
    const attributes = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.nat(20)), { maxLength: 40 }).map(
      (list) => Uint8Array.from(list.flatMap(([length, type]) => [length, 0, type, 0, 0, 0, 0, 0])),
    );
    const body = fc.oneof(any, attributes);
    fc.assert(
      fc.property(
        fc.constantFrom(2, 10, 0, 255),
        fc.constantFrom(0, 8, 12, 72),
        body,
        (family, header, rest) => {
          const message = new Uint8Array(header + rest.length);
          message.set(rest, header);
          message[0] = family;
          if (header === 12) message[7] = 1;
          read(message);
        },
      ),
      { numRuns: 1000 },
    );
  });
}
