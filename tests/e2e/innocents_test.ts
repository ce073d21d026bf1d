/**
 * Who must never be banned, with both engines from one table. Blocking is on, every setting that matters is the default.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { openSession } from "../lab/session.ts";

/** What an innocent does: `client` is new in each case. */
type Behaviour = (client: Host, target: Host) => Promise<unknown>;

const url = (target: Host, path = "/"): string => `http://${target.ipv4}${path}`;
const knock = (client: Host, target: Host, port: number): Promise<unknown> =>
  client.run(["nc", "-n", "-z", "-w", "1", target.ipv4, String(port)]);

const INNOCENTS: Readonly<Record<string, Behaviour>> = {
  "an HTTP client with keep-alive": async (client, target) =>
    await client.out(["curl", "-sS", "-o", "/dev/null", ...Array<string>(40).fill(url(target))]),
  "an HTTP client with many short connections": async (client, target) =>
    await client.out([
      "sh",
      "-c",
      `for i in $(seq 60); do curl -sS -o /dev/null ${url(target)} || exit 1; done`,
    ]),
  "a large download": async (client, target) =>
    await client.out(["curl", "-sS", "-o", "/dev/null", url(target, "/?bytes=60000000")]),
  "a large upload": async (client, target) =>
    await client.out(["sh", "-c", `head -c 60000000 /dev/zero | curl -sS -o /dev/null -T - ${url(target)}`]),
  "one mistyped port": async (client, target) => await knock(client, target, 81),
  "one mistyped port, twenty times": async (client, target) => {
    for (let i = 0; i < 20; i++) await client.run(["hping3", "-q", "-c", "1", "-S", "-p", "81", target.ipv4]);
  },
  "one dead port, retried for a minute by a program that does not give up (in six seconds)": async (
    client,
    target,
  ) => await client.run(["hping3", "-q", "-c", "60", "-i", "u100000", "-S", "-p", "81", target.ipv4]),
  "one dead port, retried by the kernel": async (client, target) => {
    for (let i = 0; i < 4; i++) await client.run(["nc", "-n", "-z", "-w", "2", target.ipv4, "81"]);
  },
  "two mistyped ports": async (client, target) => {
    await knock(client, target, 81);
    await knock(client, target, 82);
  },
  "two mistyped ports, retried for longer than the quarantine, which asking again must not renew": async (
    client,
    target,
  ) => {
    const retry = (port: string) =>
      client.run(["hping3", "-q", "-c", "14", "-i", "u500000", "-S", "-p", port, target.ipv4]);
    await Promise.all([retry("81"), retry("82")]);
    assert.ok(await reaches(client, target.ipv4, 80));
  },
  "one mistyped port, then every real service at once": async (client, target) => {
    await knock(client, target, 81);
    for (const port of [22, 80, 443]) await knock(client, target, port);
  },
  "HTTP/3 tries to UDP 443": async (client, target) =>
    await client.out(["hping3", "-q", "-2", "-c", "5", "-i", "u100000", "-p", "443", target.ipv4]).catch(() =>
      ""
    ),
  "an ident look-up": async (client, target) => await knock(client, target, 113),
  "UDP traceroute": async (client, target) =>
    await client.run(["hping3", "-q", "-2", "-c", "30", "-i", "u10000", "-p", "++33434", target.ipv4]),
  "stray ACK packets on two ports": async (client, target) => {
    for (const port of ["81", "82"]) {
      await client.run(["hping3", "-q", "-A", "-c", "3", "-i", "u10000", "-p", port, target.ipv4]);
    }
  },
  "stray RST packets on many ports": async (client, target) =>
    await client.run(["hping3", "-q", "-R", "-c", "20", "-i", "u5000", "-p", "++100", target.ipv4]),
  "SYN/ACK backscatter of a forged flood on many ports": async (client, target) =>
    await client.run([
      "hping3",
      "-q",
      "-S",
      "-A",
      "-c",
      "20",
      "-i",
      "u5000",
      "-s",
      "80",
      "-p",
      "++100",
      target.ipv4,
    ]),
  "broadcasts": async (client) =>
    await client.run([
      "sh",
      "-c",
      "for p in 67 69 161 513 631; do nc -n -b -u -w 0 10.77.0.255 $p <<END\nx\nEND\ndone",
    ]),
  "multicast": async (client) =>
    await client.run([
      "sh",
      "-c",
      "ip route add 224.0.0.0/4 dev eth0; for p in 69 161 513 631; do nc -n -u -w 0 224.0.0.251 $p <<END\nx\nEND\ndone",
    ]),
  "active FTP, whose data connection this host opens from its port 20": async (client, target) => {
    using listener = client.inside(() => Deno.listen({ hostname: client.ipv4, port: 50001 }));
    const nc = `echo data | nc -n -N -p 20 ${client.ipv4} 50001`;
    const sending = target.out(["sh", "-c", nc], { seconds: 10 });
    // Whoever sends waits until the other end closes, too.
    const { readable } = await Promise.race([listener.accept(), sending.then(() => listener.accept())]);
    assert.equal(await new Response(readable).text(), "data\n");
    await sending;
  },
  "passive FTP, whose data ports come and go": async (client, target) => {
    for (let port = 50001; port <= 50005; port++) {
      using _data = target.inside(() => Deno.listen({ hostname: target.ipv4, port }));
      assert.ok(await reaches(client, target.ipv4, port));
    }
  },
  "pings": async (client, target) => await client.out(["ping", "-q", "-c", "5", "-i", "0.05", target.ipv4]),
};

for (const engine of ["kernel", "raw"] as const) {
  Deno.test(`innocents: engine ${engine} bans none of them`, async (test) => {
    await using lab = await Lab.create();
    const target = await lab.host();
    await serve(target, 22, 80, 443);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block" }, udp: { response: "block" } },
    });
    for (const [name, behave] of Object.entries(INNOCENTS)) {
      await test.step(name, async () => {
        const client = await lab.host();
        await behave(client, target);
        await settled(daemon);
        assert.deepEqual(daemon.about(client.ipv4, "block"), []);
        await until("the client is answered again", () => reaches(client, target.ipv4, 80), 8);
      });
    }
    await test.step("the limit: a third closed port two seconds later is a scan", async () => {
      const client = await lab.host();
      for (const port of ["81", "82", "83"]) {
        await client.run(["hping3", "-q", "-c", "1", "-S", "-p", port, target.ipv4]);
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
      await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === client.ipv4);
    });
  });

  Deno.test(`innocents: engine ${engine}, a server whose last packets come after we broke off, with every port a trap`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const server = await lab.host();
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block", advanced_below: 65536 } },
    });
    const late = ["hping3", "-q", "-P", "-A", "-k", "-s", "80", "-d", "100", "-c", "9", "-i", "u5000"];
    await server.run([...late, "-p", "++40000", target.ipv4]);
    await server.run([
      "hping3",
      "-q",
      "-F",
      "-A",
      "-k",
      "-s",
      "80",
      "-c",
      "9",
      "-i",
      "u5000",
      "-p",
      "++41000",
      target.ipv4,
    ]);
    await settled(daemon);
    assert.deepEqual(daemon.about(server.ipv4, "block"), []);
    await server.run(["hping3", "-q", "-S", "-c", "9", "-i", "u5000", "-p", "++40000", target.ipv4]);
    await daemon.line("a scan", (line) => line["type"] === "block" && line["source"] === server.ipv4);
  });

  Deno.test(`innocents: engine ${engine}, forged probes in the gateway's name change nothing (F2)`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const gateway = await lab.host();
    const forger = await lab.host();
    await target.out(["ip", "route", "add", "default", "via", gateway.ipv4]);
    await serve(target, 80);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine, scan_trigger: 0 }, tcp: { response: "block" } },
    });
    await forger.run([
      "hping3",
      "-q",
      "-a",
      gateway.ipv4,
      "-S",
      "-c",
      "20",
      "-i",
      "u1000",
      "-p",
      "++1",
      target.ipv4,
    ]);
    await daemon.line(
      "the forged probes are told",
      (line) => line["type"] === "probe" && line["source"] === gateway.ipv4,
    );
    assert.deepEqual(daemon.about(gateway.ipv4, "block"), []);
    assert.ok(await reaches(gateway, target.ipv4, 80), "the gateway must not even be quarantined");
  });

  Deno.test(`innocents: engine ${engine}, an established SSH peer is protected (F2)`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const admin = await lab.host();
    const forger = await lab.host();
    await serve(target, 22, 80);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block" } },
    });
    using _session = await openSession(admin, { address: target.ipv4, port: 22 });
    await until(
      "the session is protected",
      async () => (await daemon.cli("status")).stdout.includes(admin.ipv4),
    );
    await forger.run([
      "hping3",
      "-q",
      "-a",
      admin.ipv4,
      "-S",
      "-c",
      "20",
      "-i",
      "u1000",
      "-p",
      "++1",
      target.ipv4,
    ]);
    await daemon.line(
      "the forged probes are told",
      (line) => line["type"] === "probe" && line["source"] === admin.ipv4,
    );
    assert.deepEqual(daemon.about(admin.ipv4, "block"), []);
    assert.ok(await reaches(admin, target.ipv4, 80), "a new connection of the admin must be answered");
  });

  Deno.test(`innocents: engine ${engine}, the clients of a service that restarts, or stops for good (detect.grace)`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const client = await lab.host();
    const monitor = await lab.host();
    await serve(target, 22);
    const service = await serve(target, 80, 443, 993);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block" } },
    });
    await until("the listeners are known", async () => (await daemon.cli("status")).code === 0);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    service.kill("SIGKILL");
    for (let i = 0; i < 10; i++) {
      for (const port of ["80", "443", "993"]) {
        await client.run(["hping3", "-q", "-c", "1", "-S", "-p", port, target.ipv4]);
      }
      await monitor.run(["hping3", "-q", "-c", "1", "-S", "-p", "80", target.ipv4]);
    }
    await settled(daemon);
    assert.deepEqual(daemon.about(client.ipv4, "block"), []);
    assert.deepEqual(daemon.about(monitor.ipv4, "block"), []);
    assert.ok(await reaches(client, target.ipv4, 22), "grace must not even quarantine");
    await serve(target, 80);
    assert.ok(await reaches(client, target.ipv4, 80), "and the service must be there again");
  });

  Deno.test(`innocents: engine ${engine}, an address on the ignore list, and the host itself`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const friend = await lab.host();
    await serve(target, 80);
    await using daemon = await Daemon.start(target, {
      config: {
        detect: { engine, scan_trigger: 0 },
        tcp: { response: "block" },
        ignore: { hosts: [`${friend.ipv4}/32`, "127.0.0.0/8", "::1"] },
      },
    });
    await friend.run(["nmap", "-n", "-Pn", "-T4", "-sS", "-p", "1-200", target.ipv4]);
    await target.run(["nmap", "-n", "-Pn", "-T4", "-sS", "-p", "1-200", target.ipv4]);
    await target.run(["nmap", "-n", "-Pn", "-T4", "-sS", "-p", "1-200", "127.0.0.1"]);
    await settled(daemon);
    assert.deepEqual(daemon.log.filter((line) => line["type"] === "block"), []);
    assert.ok(await reaches(friend, target.ipv4, 80));
    assert.ok(await reaches(target, target.ipv4, 80));
  });

  Deno.test(`innocents: engine ${engine}, a resolver whose answers come when nobody waits for them any more`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const resolver = await lab.host();
    const stranger = await lab.host();
    // As in PortSentry's own list, which has ports that this host also asks from.
    const ports = ["40000-40099"];
    await target.out(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40099"]);
    await serve(target, 80);
    await using daemon = await Daemon.start(target, {
      config: {
        detect: { engine, scan_trigger: 0 },
        udp: { mode: "stealth", ports, response: "block" },
        tcp: { response: "block" },
      },
    });
    await serve(resolver, "late-udp:53");
    // Asks, and is gone before anybody could answer.
    const ask = `echo question | nc -n -u -q 0 -w 1 ${resolver.ipv4} 53`;
    await target.run(["sh", "-c", `for i in $(seq 20); do ${ask}; done`]);
    await until("every answer has come and found no socket", async () => {
      const counted = await target.out(["nstat", "-asz", "UdpNoPorts"]);
      return Number(/UdpNoPorts +(\d+)/.exec(counted)?.[1]) >= 20;
    });
    await settled(daemon);
    assert.deepEqual(daemon.about(resolver.ipv4, "block"), []);
    assert.ok(await reaches(resolver, target.ipv4, 80));
    const port = "40050";
    await stranger.run(["hping3", "-q", "-2", "-c", "1", "-s", "5353", "-k", "-p", port, target.ipv4]);
    await daemon.line(
      "control: whoever was not asked is banned at the same port",
      (line) => line["type"] === "block" && line["source"] === stranger.ipv4,
    );
  });

  Deno.test(`innocents: engine ${engine}, connections that were there before, idle, and longer than their listener`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const client = await lab.host();
    const config = { detect: { engine, grace: "0s", scan_trigger: 0 }, tcp: { response: "block" } };
    // A server that takes one connection and closes its listener, as one that forks or is socket-activated may do.
    await serve(target, "once:512");
    const caller = client.spawn(["nc", "-n", "-N", target.ipv4, "512"], { stdin: "piped", stdout: "piped" });
    await until("the listener is gone and the connection is there", async () => {
      const listens = (await target.out(["ss", "-Hltn"])).includes(":512 ");
      return !listens && (await target.out(["ss", "-Htn"])).includes(":512 ");
    });
    await using daemon = await Daemon.start(target, { config });
    const toServer = caller.stdin.getWriter();
    for (let i = 0; i < 5; i++) await toServer.write(new TextEncoder().encode("there and back\n"));
    await toServer.close();
    const echoed = await new Response(caller.stdout).text();
    assert.equal(echoed, "there and back\n".repeat(5));
    // Both ends close; the last packets find no socket.
    await until("the connection has ended", async () => !(await client.out(["ss", "-Htn"])).includes(":512"));
    await settled(daemon);
    assert.deepEqual(daemon.about(client.ipv4, "block"), []);
    // The raw engine asks a moment after the packet, when a short connection may be gone: told of, but no evidence enough.
    const verdicts = new Set(daemon.about(client.ipv4, "probe").map((line) => line["verdict"]));
    assert.deepEqual(
      [...verdicts].filter((verdict) => engine === "kernel" || verdict !== "below-trigger"),
      [],
    );
    await client.run(["hping3", "-q", "-c", "1", "-S", "-p", "512", target.ipv4]);
    await daemon.line(
      "control: the port is a trap",
      (line) => line["type"] === "block" && line["source"] === client.ipv4,
    );
  });

  Deno.test(`innocents: engine ${engine}, customers who retry while a service restarts again and again`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    const customers = [await lab.host(), await lab.host()];
    let service = await serve(target, 80, 443, 993);
    await using daemon = await Daemon.start(target, {
      config: { detect: { engine }, tcp: { response: "block" } },
    });
    await settled(daemon);
    const closing = customers.map((customer) =>
      customer.spawn([
        "sh",
        "-c",
        `while :; do for p in 80 443 993; do nc -n -z -w 1 ${target.ipv4} $p; done; sleep 0.05; done`,
      ], { stdout: "null", stderr: "null" })
    );
    for (let restart = 0; restart < 3; restart++) {
      service.kill("SIGKILL");
      await service.status;
      // Longer than the daemon takes to notice, and than some tries of each customer.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      service = await serve(target, 80, 443, 993);
    }
    for (const customer of closing) customer.kill("SIGKILL");
    await settled(daemon);
    for (const { ipv4 } of customers) assert.deepEqual(daemon.about(ipv4, "block"), []);
    for (const customer of customers) assert.ok(await reaches(customer, target.ipv4, 443));
  });
}

/** Everything sent so far has been judged: the daemon answers a request, which it does after the packets before it. */
async function settled(daemon: Daemon): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const result = await daemon.cli("status");
    assert.equal(result.code, 0, result.stderr);
  }
}
