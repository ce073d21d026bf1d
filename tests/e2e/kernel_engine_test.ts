/** The kernel engine and its trap, with real scanners: what is seen, what is held, and who is left alone. */
import assert from "node:assert/strict";
import { KernelEngine } from "../../src/capture/kernel_engine.ts";
import { EXIT, UserError } from "../../src/errors.ts";
import { parseAddress } from "../../src/net/address.ts";
import { reaches, serve } from "../lab/clients.ts";
import { Collector } from "../lab/collector.ts";
import { DENO } from "../lab/deno.ts";
import { openDescriptors } from "../lab/descriptors.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { FrameSender, RawSender } from "../lab/raw_sender.ts";
import { ArmedTrap, blocking } from "../lab/trap.ts";

const TCP = 6;
/** Longer than the slowest machine needs to look several times whether somebody is held. */
const LONG_QUARANTINE = "10m";
/** For those who want to see the end of it. */
const SHORT_QUARANTINE = "1s";
const NMAP = ["nmap", "-n", "-Pn", "-T4", "--max-retries", "0"];

const SCANS: Readonly<Record<string, readonly [readonly string[], string]>> = {
  "-sS": [["-sS"], "syn"],
  "-sT": [["-sT"], "syn"],
  "-sF": [["-sF"], "fin"],
  "-sN": [["-sN"], "null"],
  "-sX": [["-sX"], "xmas"],
  "-sU": [["-sU"], "udp"],
  "-sY": [["-sY"], "sctp"],
  "-sA": [["-sA"], "ack"],
  "-sW": [["-sW"], "ack"],
  "-sM": [["-sM"], "maimon"],
  "-sS -f": [["-sS", "-f"], "syn"],
  "-sX -f": [["-sX", "-f"], "xmas"],
  "--scanflags SYNURG": [["-sS", "--scanflags", "SYNURG"], "unknown"],
  "-sS -g 53": [["-sS", "-g", "53"], "syn"],
  "-6 -sS": [["-6", "-sS"], "syn"],
  "-6 -sT": [["-6", "-sT"], "syn"],
  "-6 -sF": [["-6", "-sF"], "fin"],
  "-6 -sU": [["-6", "-sU"], "udp"],
  "-6 -sA": [["-6", "-sA"], "ack"],
};

/** The first two addresses of a host in the family that the arguments ask for. */
function addressOf(host: Host, args: readonly string[]): string {
  return args.includes("-6") ? host.ipv6 : host.ipv4;
}

function knock(client: Host, target: string, ...ports: number[]): Promise<unknown>[] {
  return ports.map((port) => client.run(["nc", "-n", "-z", "-w", "1", target, String(port)]));
}

for (const trigger of [0, 3]) {
  Deno.test(`KernelEngine: every scan is seen and banned, scan_trigger ${trigger}`, async (test) => {
    await using lab = await Lab.create();
    const [target, client] = [await lab.host(), await lab.host()];
    await serve(target, 22, 80, 443);
    await using trap = await ArmedTrap.arm(target, blocking({ detect: { scan_trigger: trigger } }));
    for (const [name, [args, scan]] of Object.entries(SCANS)) {
      await test.step(`nmap ${name}`, async () => {
        const scanner = await lab.host();
        const [source, address] = [addressOf(scanner, args), addressOf(target, args)];
        await until("the service answers", () => reaches(scanner, address, 80));
        const out = await scanner.out([...NMAP, "-p", "1-60", ...args, address]);
        assert.doesNotMatch(out, /22\/tcp +open.*80\/tcp +open/s, "not both services");
        await until("the ban", () => trap.hasBanned(source));
        const seen = trap.about(source);
        assert.ok(
          seen.every(({ probe }) => probe.scan === scan || probe.scan === "syn"),
          JSON.stringify(seen),
        );
        assert.ok(seen.some(({ probe }) => probe.scan === scan));
        const verdict = seen.find((decision) => decision.verdict === "block");
        assert.equal(verdict?.ports, trigger === 0 && !["ack", "maimon"].includes(scan) ? 1 : 3);
        assert.equal(await reaches(scanner, address, 80), false);
        assert.ok(await reaches(client, address, 80));
      });
    }
    const { trapped, reported, lost } = trap.engine.stats();
    assert.deepEqual([reported, lost], [trapped, 0]);
    assert.equal(trapped, trap.decisions.length + trap.passed.length);
  });
}

Deno.test("KernelEngine: the second packet of a scan is held, and what is open stays open", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await serve(target, 22, 80, "udp:53");
  await using trap = await ArmedTrap.arm(target, blocking({ block: { quarantine: LONG_QUARANTINE } }));
  const session = client.spawn([
    "curl",
    "-sS",
    "-N",
    "--no-progress-meter",
    "-T",
    "-",
    `http://${target.ipv4}/`,
  ], {
    stdin: "piped",
  });
  const writer = session.stdin.getWriter();
  await writer.write(new TextEncoder().encode("a"));
  await until(
    "the session is there",
    async () => (await target.out(["ss", "-Htn", "sport = :80"])).includes("ESTAB"),
  );

  await client.run(["hping3", "-q", "-S", "-c", "1", "-p", "81", target.ipv4]);
  await until("the first probe is seen", () => trap.about(client.ipv4).length === 1);
  await Promise.all(knock(client, target.ipv4, 22, 80, 443, 22));
  assert.equal(await reaches(client, target.ipv4, 22), false, "an open port does not answer");
  assert.deepEqual(trap.about(client.ipv4).map(({ probe, verdict }) => [probe.port, verdict]), [
    [81, "below-trigger"],
    // 443 is closed: trapped. Open ports are no evidence, however often they are tried.
    ...trap.about(client.ipv4).slice(1).map(() => [443, "below-trigger"]),
  ]);
  assert.ok(trap.about(client.ipv4).length >= 2);
  await writer.write(new TextEncoder().encode("b"));
  await writer.close();
  const { stdout } = await session.output();
  assert.equal(stdout.length, 6, "the session that was there went on to its end");
  assert.equal(trap.hasBanned(client.ipv4), false);
});

Deno.test("KernelEngine: one mistyped port, once and twenty times, holds nobody twice", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await serve(target, 80);
  await using trap = await ArmedTrap.arm(target, blocking({ block: { quarantine: SHORT_QUARANTINE } }));
  for (const address of [target.ipv4, target.ipv6]) {
    await Promise.all(knock(client, address, 81));
    await until("the quarantine is over", () => reaches(client, address, 80), 20);
    for (let i = 0; i < 20; i++) {
      await Promise.all(knock(client, address, 81));
      assert.ok(await reaches(client, address, 80), `held again after ${i + 1} more`);
    }
  }
  await until(
    "all are seen",
    () => trap.about(client.ipv4).length >= 21 && trap.about(client.ipv6).length >= 21,
  );
  assert.deepEqual([...new Set(trap.decisions.map(({ verdict }) => verdict))], ["below-trigger"]);
});

Deno.test("KernelEngine: a trapped port is refused as a closed one, so that a slip costs no waiting", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await using _trap = await ArmedTrap.arm(target, blocking());
  const { stdout } = await client.run(["hping3", "-S", "-c", "1", "-p", "81", target.ipv4]);
  assert.match(stdout, /flags=RA/);
});

/** Packets that must not be seen at all, sent by `RawSender` unless they are a command. */
const NO_PROBES: Readonly<Record<string, (client: Host, target: Host) => Promise<unknown>>> = {
  "SYN/ACK backscatter": (client, { ipv4 }) =>
    client.run(["hping3", "-q", "-S", "-A", "-c", "20", "-i", "u2000", "-p", "++100", ipv4]),
  "RST, with and without ACK": async (client, { ipv4 }) => {
    await client.run(["hping3", "-q", "-R", "-c", "20", "-i", "u2000", "-p", "++100", ipv4]);
    await client.run(["hping3", "-q", "-R", "-A", "-c", "20", "-i", "u2000", "-p", "++200", ipv4]);
  },
  "SCTP that opens nothing": (client, target) => {
    using sender = client.inside(() => new RawSender());
    for (const type of [0, 3, 10, 14]) {
      sender.send({ protocol: 132, source: client.ipv4, dest: target.ipv4, destPort: 99, type });
    }
    return Promise.resolve();
  },
  "later fragments": (client, target) => {
    using sender = client.inside(() => new RawSender());
    const fragment = 185 << 3;
    sender.send({ family: 6, protocol: TCP, source: client.ipv6, dest: target.ipv6, destPort: 99, fragment });
    return Promise.resolve();
  },
  "broadcast and multicast": (client) =>
    client.run([
      "sh",
      "-c",
      "ip route add 224.0.0.0/4 dev eth0; for a in 10.77.0.255 255.255.255.255 224.0.0.251; do " +
      "for p in 69 161 513 631; do echo x | nc -n -b -u -w 0 $a $p; done; done",
    ]),
  "a ping, a traceroute and HTTP/3 to a port nobody traps": async (client, { ipv4 }) => {
    await client.out(["ping", "-q", "-c", "3", "-i", "0.05", ipv4]);
    await client.run(["hping3", "-q", "-2", "-c", "20", "-i", "u2000", "-p", "++33434", ipv4]);
  },
  "ident": (client, { ipv4 }) => client.run(["nc", "-n", "-z", "-w", "1", ipv4, "113"]),
  "real services, much and often": async (client, { ipv4, ipv6 }) => {
    await client.out(["curl", "-sS", "-o", "/dev/null", `http://${ipv4}/?bytes=30000000`]);
    for (let i = 0; i < 10; i++) await client.out(["curl", "-sS", "-o", "/dev/null", `http://[${ipv6}]/`]);
  },
};

Deno.test("KernelEngine: what is no probe never reaches the daemon", async (test) => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await serve(target, 22, 80);
  await using trap = await ArmedTrap.arm(target, blocking());
  for (const [name, act] of Object.entries(NO_PROBES)) {
    await test.step(name, async () => {
      const client = await lab.host();
      await act(client, target);
      // A probe at the end: what was sent before it would have been seen before it.
      const witness = await lab.host();
      await witness.run(["hping3", "-q", "-S", "-c", "1", "-p", "81", target.ipv4]);
      await until("the witness is seen", () => trap.about(witness.ipv4).length > 0);
      assert.deepEqual([...trap.about(client.ipv4), ...trap.about(client.ipv6)], []);
      assert.deepEqual(trap.passed, []);
      assert.ok(await reaches(client, target.ipv4, 22), "and nobody is held for it");
    });
  }
});

Deno.test("KernelEngine: stray ACKs are told, but hold nobody", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await serve(target, 80);
  await using trap = await ArmedTrap.arm(target, blocking());
  await client.run(["hping3", "-q", "-A", "-c", "2", "-i", "u2000", "-p", "81", target.ipv4]);
  await client.run(["hping3", "-q", "-F", "-A", "-c", "1", "-p", "82", target.ipv4]);
  await until("they are told", () => trap.about(client.ipv4).length === 3);
  assert.ok(await reaches(client, target.ipv4, 80));
});

Deno.test("KernelEngine: fragments, VLAN tags, IP options and IPv6 extension headers hide nothing", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await using trap = await ArmedTrap.arm(target, blocking({ tcp: { response: "observe" } }));
  const mac = (await target.out(["cat", "/sys/class/net/eth0/address"])).trim();
  using sender = client.inside(() => new RawSender());
  using frames = client.inside(() => new FrameSender());
  const v6 = { family: 6, protocol: TCP, source: client.ipv6, dest: target.ipv6 } as const;
  const v4 = { protocol: TCP, source: client.ipv4, dest: target.ipv4 } as const;
  sender.send({ ...v6, destPort: 11, extension: 60, extensionBytes: 8 });
  sender.send({ ...v6, destPort: 12, extension: 60, extensionBytes: 1024 });
  sender.send({ ...v6, destPort: 13, fragment: 1 });
  sender.send({ ...v4, destPort: 15, options: 8 });
  frames.send({ ...v4, destPort: 16 }, { mac, vlanTag: 0 });
  await client.run(["nmap", "-n", "-Pn", "-sS", "-f", "--max-retries", "0", "-p", "17", target.ipv4]);
  const ports = (): number[] => [...new Set(trap.decisions.map(({ probe }) => probe.port))].sort();
  await until("the last is seen", () => ports().includes(17));
  assert.deepEqual(ports(), [11, 12, 13, 15, 16, 17]);
});

Deno.test("KernelEngine: replies to this host are no probes, not even late ones", async () => {
  await using lab = await Lab.create();
  const [target, server] = [await lab.host(), await lab.host()];
  await using trap = await ArmedTrap.arm(target, blocking());
  using sender = server.inside(() => new RawSender());
  // The host asks from a trapped port and closes the socket before the answers come.
  await target.out(["sh", "-c", `nc -n -u -w 0 -p 500 ${server.ipv4} 53 <<END\nx\nEND`]);
  const reply = { protocol: 17, source: server.ipv4, dest: target.ipv4, destPort: 500 } as const;
  for (let i = 0; i < 5; i++) sender.send({ ...reply, sourcePort: 53 });
  sender.send({ ...reply, sourcePort: 54 });
  await until("the one that is no reply is seen", () => trap.about(server.ipv4).length > 0);
  assert.deepEqual(trap.about(server.ipv4).map(({ probe }) => probe.sourcePort), [54]);
});

Deno.test("KernelEngine: graced ports, protected and ignored addresses", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  const [customer, gateway, friend] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, 80);
  await using trap = await ArmedTrap.arm(target, blocking({ detect: { scan_trigger: 0 } }));
  const address = (text: string) => {
    const parsed = parseAddress(text);
    assert.ok(parsed !== undefined);
    return parsed;
  };
  trap.backend.setGrace([
    { protocol: "tcp", address: undefined, port: 443, seconds: 60 },
    { protocol: "tcp", address: address(target.ipv6), port: 993, seconds: undefined },
  ]);
  trap.backend.setProtected([address(gateway.ipv4)]);
  trap.backend.setIgnored([{ address: address(friend.ipv4), length: 32 }]);
  await Promise.all([
    ...knock(customer, target.ipv4, 443),
    ...knock(customer, target.ipv6, 443, 993),
    ...knock(friend, target.ipv4, 1, 2, 3, 4),
    ...knock(gateway, target.ipv4, 1, 2, 3, 4),
  ]);
  await until("the gateway's probes are told", () => trap.about(gateway.ipv4).length > 0);
  assert.deepEqual([customer.ipv4, customer.ipv6, friend.ipv4].flatMap((it) => trap.about(it)), []);
  for (const host of [customer, friend]) assert.ok(await reaches(host, target.ipv4, 80));
  // The kernel holds nobody who is protected; this test's judge, which knows of no protection, has banned by now.
  const seized = await target.out(["nft", "list", "set", "inet", "portsnare", "seized4"]);
  assert.doesNotMatch(seized, /elements/);
  await Promise.all(knock(customer, target.ipv4, 993));
  await until("993 is a trap on the other address", () => trap.about(customer.ipv4).length > 0);
});

Deno.test("KernelEngine: a service that starts on a trapped port is safe from its first packet", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await using trap = await ArmedTrap.arm(target, blocking({ detect: { scan_trigger: 0 } }));
  await serve(target, 81);
  assert.ok(await reaches(client, target.ipv4, 81));
  assert.ok(await reaches(client, target.ipv6, 81));
  assert.deepEqual(trap.decisions, []);
});

Deno.test("KernelEngine: a default-drop firewall hides nothing before it, and everything behind it", async (test) => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await serve(target, 80);
  await target.out(["nft", "-f", "-"], {
    stdin: `table inet wall {
      chain in_ { type filter hook input priority 0; policy drop;
        ct state established,related accept; tcp dport { 80, 82 } accept; icmpv6 type != echo-request accept; }
    }
`,
  });
  for (const [position, ports] of [["before-firewall", [81, 82]], ["after-firewall", [82]]] as const) {
    await test.step(position, async () => {
      const client = await lab.host();
      await using trap = await ArmedTrap.arm(
        target,
        blocking({ detect: { position }, block: { quarantine: "0s" } }),
        { conntrack: true },
      );
      await Promise.all(knock(client, target.ipv4, 81));
      await Promise.all(knock(client, target.ipv4, 82));
      await until("the last is seen", () => trap.about(client.ipv4).some(({ probe }) => probe.port === 82));
      assert.deepEqual([...new Set(trap.about(client.ipv4).map(({ probe }) => probe.port))], ports);
    });
  }
});

Deno.test("KernelEngine: clients of a container behind DNAT are never seen, and those of its host's traps are", async () => {
  await using lab = await Lab.create();
  const [target, container, client] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(container, 8080);
  await target.out(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0"]);
  await target.out(["nft", "-f", "-"], {
    stdin: `table ip publish {
      chain pre { type nat hook prerouting priority -100; tcp dport 80 dnat to ${container.ipv4}:8080; }
      chain post { type nat hook postrouting priority 100; masquerade; }
    }
`,
  });
  await using trap = await ArmedTrap.arm(target, blocking({ detect: { scan_trigger: 0 } }), {
    conntrack: true,
  });
  for (let i = 0; i < 5; i++) assert.ok(await reaches(client, target.ipv4, 80));
  assert.deepEqual(trap.decisions, []);
  await Promise.all(knock(client, target.ipv4, 81));
  await until("the ban", () => trap.hasBanned(client.ipv4));
  assert.equal(await reaches(client, target.ipv4, 80), false, "the ban holds for what is sent on, too");
});

Deno.test("KernelEngine: a scanner in quarantine opens nothing behind DNAT either", async () => {
  await using lab = await Lab.create();
  const [target, container, client] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(container, 8080);
  await target.out(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
  await target.out(["nft", "-f", "-"], {
    stdin: `table ip publish {
      chain pre { type nat hook prerouting priority -100; tcp dport 80 dnat to ${container.ipv4}:8080; }
      chain post { type nat hook postrouting priority 100; masquerade; }
    }
`,
  });
  await using trap = await ArmedTrap.arm(target, blocking({ block: { quarantine: LONG_QUARANTINE } }), {
    conntrack: true,
  });
  assert.ok(await reaches(client, target.ipv4, 80));
  await client.run(["hping3", "-q", "-S", "-c", "1", "-p", "81", target.ipv4]);
  assert.equal(await reaches(client, target.ipv4, 80), false);
  assert.equal(trap.hasBanned(client.ipv4), false);
});

Deno.test("KernelEngine counts what is lost, and goes on", async () => {
  await using lab = await Lab.create();
  const [target, flooder, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await using trap = await ArmedTrap.arm(target, blocking({ tcp: { response: "observe" } }));
  const counted = (): number => trap.backend.counters().trapped;
  const flood = flooder.spawn(["hping3", "-q", "-S", "--flood", "--rand-source", "-p", "23", target.ipv4], {
    stdout: "null",
    stderr: "null",
  });
  // Nobody reads while this loop holds the only thread.
  for (const end = performance.now() + 20_000; counted() < 80_000 && performance.now() < end;);
  flood.kill("SIGKILL");
  await flood.status;
  await scanner.run(["hping3", "-q", "-S", "-c", "1", "-p", "81", target.ipv4]);
  await until("the engine goes on", () => trap.about(scanner.ipv4).length > 0);
  const { trapped, reported, lost } = trap.engine.stats();
  assert.ok(lost > 0, `nothing lost of ${trapped}`);
  assert.equal(reported + lost, trapped);
});

Deno.test("KernelEngine.start says when it may not, and when somebody else is there", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  const sink = new Collector();
  const first = new KernelEngine({ sink });
  await first.start();
  const second = new KernelEngine({ sink });
  assert.throws(() => second.start(), (error) => {
    assert.ok(error instanceof UserError);
    assert.equal(error.exitCode, EXIT.unavailable);
    assert.match(error.message, /NFLOG group 5018: another program has it/);
    return true;
  });
  await first.stop();
  await second.start();
  await second.stop();
  const script = new URL("../lab/kernel_engine_start.ts", import.meta.url).pathname;
  const bounded = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"];
  const denied = await target.run([...bounded, DENO, "run", "-A", "--cached-only", script]);
  assert.equal(denied.code, EXIT.permission, denied.stderr);
  assert.match(denied.stderr, /NFLOG group 5018: this needs root or CAP_NET_ADMIN/);
});

Deno.test("KernelEngine leaves no descriptor and no wait behind", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using _ = target.enter();
  const before = openDescriptors();
  for (let i = 0; i < 3; i++) {
    const engine = new KernelEngine({ sink: new Collector() });
    await engine.start();
    await engine.start();
    await engine.stop();
    await engine.stop();
    engine[Symbol.dispose]();
  }
  assert.deepEqual(openDescriptors(), before);
});
