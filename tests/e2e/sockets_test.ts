/** What the kernel says about sockets, in namespaces with real ones. @module */
import assert from "node:assert/strict";
import { SocketTable } from "../../src/host/sockets.ts";
import { formatAddress } from "../../src/net/address.ts";
import type { IncomingPacket, Listener } from "../../src/net/listener.ts";
import { PortSet } from "../../src/net/ports.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { address } from "../lab/addresses.ts";

/** Listens as the flags of socat-less Debian tools cannot: python3 is in every base with systemd-container. */
function serve(host: Host, program: string): Deno.ChildProcess {
  const prelude = "from socket import *\nimport time\n";
  return host.spawn(["python3", "-c", `${prelude}${program}\nprint('up', flush=True)\ntime.sleep(600)`]);
}

async function started(child: Deno.ChildProcess): Promise<void> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) {
    throw new Error(`Service did not start: ${await new Response(child.stderr).text()}`);
  }
}

function packet(
  protocol: IncomingPacket["protocol"],
  to: readonly [string, number],
  from: readonly [string, number],
): IncomingPacket {
  return { protocol, dest: address(to[0]), port: to[1], source: address(from[0]), sourcePort: from[1] };
}

function lines(listeners: readonly Listener[]): string[] {
  return listeners.map((l) =>
    `${l.protocol} ${l.address === undefined ? "*" : formatAddress(l.address)} ${l.port}${
      l.loopback ? " loopback" : ""
    }`
  ).sort();
}

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

const SERVICES = `
keep = []
def tcp(family, address, port, **options):
    s = socket(family, SOCK_STREAM); s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    if 'only' in options: s.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, options['only'])
    if 'share' in options: s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    if 'device' in options: s.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, options['device'])
    s.bind((address, port)); s.listen(); keep.append(s)
def udp(family, address, port, **options):
    s = socket(family, SOCK_DGRAM)
    if 'only' in options: s.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, options['only'])
    if 'device' in options: s.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, options['device'])
    s.bind((address, port)); keep.append(s)
    if 'peer' in options: s.connect(options['peer'])
tcp(AF_INET, '0.0.0.0', 22)
tcp(AF_INET, '127.0.0.1', 631)
tcp(AF_INET, '10.77.0.1', 80)
tcp(AF_INET6, '::', 443, only=0)
tcp(AF_INET6, '::', 444, only=1)
tcp(AF_INET6, 'fd77::1', 81)
tcp(AF_INET, '0.0.0.0', 90, share=1)
tcp(AF_INET, '0.0.0.0', 90, share=1)
tcp(AF_INET, '0.0.0.0', 91, device=b'eth0')
tcp(AF_INET, '0.0.0.0', 92, device=b'lo')
udp(AF_INET, '0.0.0.0', 53)
udp(AF_INET, '127.0.0.1', 323)
udp(AF_INET6, '::', 500, only=0)
udp(AF_INET, '0.0.0.0', 3000, peer=('10.77.0.2', 123))
udp(AF_INET, '0.0.0.0', 68, device=b'eth0')
`;

Deno.test("SocketTable against real sockets", async (t) => {
  await using lab = await Lab.create();
  const host = await lab.host();
  const peer = await lab.host();
  await started(serve(host, SERVICES));
  {
    using table = host.inside(() => new SocketTable());
    const owns = (...question: Parameters<typeof packet>): boolean => table.owns(packet(...question));

    await t.step("listeners gives each bound port once, with loopback ones flagged (F17)", () => {
      assert.deepEqual(
        lines(table.listeners()),
        [
          "tcp * 22",
          "tcp * 443",
          "tcp * 444",
          "tcp * 90",
          "tcp * 91",
          "tcp * 92 loopback",
          "tcp 10.77.0.1 80",
          "tcp 127.0.0.1 631 loopback",
          "tcp fd77::1 81",
          "udp * 500",
          "udp * 53",
          "udp * 68",
          "udp 127.0.0.1 323 loopback",
        ].sort(),
      );
    });

    const OWNED: readonly [string, Parameters<typeof packet>, boolean][] = [
      ["a wildcard listener", ["tcp", ["10.77.0.1", 22], ["10.77.0.2", 40000]], true],
      ["a port without any", ["tcp", ["10.77.0.1", 23], ["10.77.0.2", 40000]], false],
      ["C18: its own address", ["tcp", ["10.77.0.1", 80], ["10.77.0.2", 40000]], true],
      ["another address", ["tcp", ["127.0.0.1", 80], ["127.0.0.1", 40000]], false],
      ["F17: loopback only", ["tcp", ["10.77.0.1", 631], ["10.77.0.2", 40000]], false],
      ["loopback from loopback", ["tcp", ["127.0.0.1", 631], ["127.0.0.1", 40000]], true],
      ["F17: bound to the loopback device", ["tcp", ["10.77.0.1", 92], ["10.77.0.2", 40000]], false],
      ["dual stack by IPv6", ["tcp", ["fd77::1", 443], ["fd77::2", 40000]], true],
      ["dual stack by IPv4", ["tcp", ["10.77.0.1", 443], ["10.77.0.2", 40000]], true],
      ["IPv6 only by IPv6", ["tcp", ["fd77::1", 444], ["fd77::2", 40000]], true],
      ["IPv6 only by IPv4", ["tcp", ["10.77.0.1", 444], ["10.77.0.2", 40000]], false],
      ["IPv4 wildcard by IPv6", ["tcp", ["fd77::1", 22], ["fd77::2", 40000]], false],
      ["its own IPv6 address", ["tcp", ["fd77::1", 81], ["fd77::2", 40000]], true],
      ["SO_REUSEPORT", ["tcp", ["10.77.0.1", 90], ["10.77.0.2", 40000]], true],
      ["bound to a device", ["tcp", ["10.77.0.1", 91], ["10.77.0.2", 40000]], true],
      ["UDP wildcard", ["udp", ["10.77.0.1", 53], ["10.77.0.2", 40000]], true],
      ["UDP closed", ["udp", ["10.77.0.1", 54], ["10.77.0.2", 40000]], false],
      ["UDP closed, asked from an owned port", ["udp", ["10.77.0.1", 54], ["10.77.0.2", 53]], false],
      ["F17: UDP loopback only", ["udp", ["10.77.0.1", 323], ["10.77.0.2", 40000]], false],
      ["UDP dual stack by IPv4", ["udp", ["10.77.0.1", 500], ["10.77.0.2", 40000]], true],
      ["UDP dual stack by IPv6", ["udp", ["fd77::1", 500], ["fd77::2", 40000]], true],
      ["UDP connected, its peer", ["udp", ["10.77.0.1", 3000], ["10.77.0.2", 123]], true],
      ["UDP connected, another port", ["udp", ["10.77.0.1", 3000], ["10.77.0.2", 124]], false],
      ["UDP connected, another host", ["udp", ["10.77.0.1", 3000], ["10.77.0.3", 123]], false],
      ["UDP bound to a device", ["udp", ["10.77.0.1", 68], ["10.77.0.2", 67]], true],
      ["SCTP where there is none", ["sctp", ["10.77.0.1", 22], ["10.77.0.2", 40000]], false],
      ["families mixed", ["tcp", ["10.77.0.1", 22], ["fd77::2", 40000]], false],
    ];
    for (const [what, question, expected] of OWNED) {
      await t.step(`owns is ${expected} for ${what}`, () => assert.equal(owns(...question), expected));
    }

    await t.step(
      "sessionPeers names the peers of both families on these ports alone, and not who has said nothing",
      async () => {
        assert.deepEqual(table.sessionPeers(PortSet.of(22, 443)), []);
        await started(serve(
          peer,
          `keep = [create_connection((a, p)) for a, p in (
          ('10.77.0.1', 22), ('10.77.0.1', 22), ('10.77.0.1', 80), ('10.77.0.1', 443), ('fd77::1', 443))]
for connection in keep: connection.sendall(b'x')
silent = create_connection(('10.77.0.1', 90))`,
        ));
        const peers = (ports: PortSet) => table.sessionPeers(ports).map(formatAddress).sort();
        await until("two peers", () => peers(PortSet.of(443)).length === 2);
        assert.deepEqual(peers(PortSet.of(22)), ["10.77.0.2"]);
        assert.deepEqual(peers(PortSet.of(443)), ["10.77.0.2", "fd77::2"]);
        assert.deepEqual(peers(new PortSet([{ first: 1, last: 21 }, { first: 81, last: 90 }])), []);
        assert.deepEqual(peers(new PortSet([{ first: 1, last: 3 }, { first: 70, last: 90 }])), ["10.77.0.2"]);
        assert.deepEqual(peers(new PortSet()), []);
      },
    );

    await t.step("listeners and owns see a listener come and go at once (C18)", () => {
      const question = ["tcp", ["10.77.0.1", 8080], ["10.77.0.2", 1]] as const;
      assert.equal(owns(...question), false);
      const listener = host.inside(() => Deno.listen({ hostname: "0.0.0.0", port: 8080 }));
      assert.equal(owns(...question), true);
      listener.close();
      assert.equal(owns(...question), false);
    });
    assert.equal(table.unanswered.failures, 0, table.unanswered.lastFailure);
  }

  await t.step("dispose gives every descriptor back, twice is harmless, and then owns says yes", () => {
    const before = openDescriptors();
    const table = host.inside(() => new SocketTable());
    assert.equal(openDescriptors(), before + 1);
    table.listeners();
    table[Symbol.dispose]();
    table[Symbol.dispose]();
    assert.equal(openDescriptors(), before);
    assert.equal(table.owns(packet("tcp", ["10.77.0.1", 23], ["10.77.0.2", 1])), true);
    assert.equal(table.unanswered.failures, 1);
    assert.equal(table.unanswered.lastFailure, "look up socket: EBADF");
  });
});

Deno.test("SocketTable.listeners reads a list that comes in many parts", async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  await started(serve(
    host,
    `import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
keep = []
for port in range(10000, 13000):
    s = socket(AF_INET, SOCK_DGRAM); s.bind(('0.0.0.0', port)); keep.append(s)`,
  ));
  using table = host.inside(() => new SocketTable());
  // 3,000 messages of some 100 bytes each are ten datagrams of the kernel's 32 KiB.
  assert.equal(table.listeners().length, 3000);
  assert.equal(table.listeners().length, 3000, "the second list was disturbed by the first");
});
