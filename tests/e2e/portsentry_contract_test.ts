/**
 * What PortSentry 1.2 does right and must stay so, and what either version gets wrong, shown on the whole daemon: the
 * numbers of docs/portsentry.md that no other end-to-end test has.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Scene {
  readonly lab: Lab;
  readonly target: Host;
  readonly client: Host;
  readonly daemon: Daemon;
}

async function scene(
  config: Sections,
  body: (scene: Scene) => Promise<void>,
  before?: (lab: Lab, target: Host) => Promise<unknown>,
): Promise<void> {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  await before?.(lab, target);
  await using daemon = await Daemon.start(target, { config });
  await body({ lab, target, client, daemon });
}

async function syn(from: Host, to: Host, port: number): Promise<void> {
  await from.run(["hping3", "-q", "-c", "1", "-S", "-p", String(port), to.ipv4]);
}

/** A stranger's probe is told of; what came before it would have been told by then, too. */
async function settled({ lab, target, daemon }: Scene, port = 7): Promise<void> {
  const stranger = await lab.host();
  await syn(stranger, target, port);
  await daemon.line("a stranger is told of", (line) => line["source"] === stranger.ipv4);
}

/** The lines of the log in which an address is named. */
function linesOn(daemon: Daemon, address: string): readonly string[] {
  return daemon.log.map((line) => JSON.stringify(line)).filter((line) => line.includes(`"${address}"`));
}

const NAT = `
table ip published {
  chain prerouting {
    type nat hook prerouting priority -100;
    tcp dport 81 redirect to :8081
    tcp dport 82 dnat to 10.77.0.3:80
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    ip daddr 10.77.0.3 masquerade
  }
}`;

for (const engine of ["kernel", "raw"] as const) {
  const block: Sections = {
    detect: { engine, scan_trigger: 0 },
    tcp: { response: "block" },
    udp: { response: "block" },
  };

  Deno.test(`C18 F24: engine ${engine}, a real service within the range is nobody's evidence and no line of the log`, async () => {
    await scene(block, async (s) => {
      for (let i = 0; i < 5; i++) assert.ok(await reaches(s.client, s.target.ipv4, 80));
      await s.client.out(["nmap", "-n", "-Pn", "-sS", "-p", "80", s.target.ipv4]);
      // A service that begins while the daemon runs is respected from its first client on.
      await serve(s.target, 90);
      assert.ok(await reaches(s.client, s.target.ipv4, 90));
      await settled(s);
      assert.deepEqual(linesOn(s.daemon, s.client.ipv4), []);
    }, (_, target) => serve(target, 80));
  });

  Deno.test(`engine ${engine}, a scan through an interface and to an address that came after the start is seen`, async () => {
    await scene(block, async (s) => {
      const link = [
        "ip",
        "link",
        "add",
        "late0",
        "type",
        "veth",
        "peer",
        "late0",
        "netns",
        s.client.namespace,
      ];
      await s.target.out(link);
      for (const [host, address] of [[s.target, "198.51.100.1/24"], [s.client, "198.51.100.2/24"]] as const) {
        await host.out(["ip", "address", "add", address, "dev", "late0"]);
        await host.out(["ip", "link", "set", "late0", "up"]);
      }
      // A link that has just come up takes its time until it carries packets.
      await until("it is blocked", async () => {
        await s.client.run(["hping3", "-q", "-c", "1", "-S", "-p", "21", "198.51.100.1"]);
        return s.daemon.about("198.51.100.2", "block").length > 0;
      }, 20);
    });
  });

  Deno.test(`F17: engine ${engine}, a service of 127.0.0.1 alone does not hide scans of its port from outside`, async () => {
    await scene(block, async (s) => {
      await syn(s.client, s.target, 631);
      await s.daemon.line(
        "the scan is told",
        (line) => line["source"] === s.client.ipv4 && line["port"] === 631,
      );
    }, async (_, target) => {
      target.spawn(["nc", "-n", "-l", "-k", "127.0.0.1", "631"]);
      await until("it listens", async () => (await target.out(["ss", "-Hltn"])).includes("127.0.0.1:631"));
    });
  });

  Deno.test(`C22: engine ${engine}, clients of a redirected and of a forwarded port are served and never reported`, async () => {
    await scene(block, async (s) => {
      const web = await s.lab.host();
      assert.equal(web.ipv4, "10.77.0.3");
      await serve(web, 80);
      for (let i = 0; i < 3; i++) {
        assert.ok(await reaches(s.client, s.target.ipv4, 81), "redirected");
        assert.ok(await reaches(s.client, s.target.ipv4, 82), "forwarded");
      }
      await settled(s);
      assert.deepEqual(linesOn(s.daemon, s.client.ipv4), []);
    }, async (_, target) => {
      await serve(target, 8081);
      await target.out(["nft", "-f", "-"], { stdin: NAT });
      await target.out(["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    });
  });

  Deno.test(`F18: engine ${engine}, a late answer to a question from a trapped UDP port is no scan`, async () => {
    await scene(block, async (s) => {
      const question = "echo q | nc -n -u -p 700 -w 1 10.77.0.2 9999";
      await s.target.run(["sh", "-c", question]);
      // The socket is closed by now; the answer comes from the port that was asked.
      await s.client.run(["sh", "-c", "nc -n -u -p 9999 -w 0 10.77.0.1 700 <<END\na\nEND"]);
      const stranger = await s.lab.host();
      await stranger.run(["sh", "-c", "nc -n -u -p 9999 -w 0 10.77.0.1 700 <<END\na\nEND"]);
      await s.daemon.line(
        "a stranger at the same port is told of",
        (line) => line["source"] === stranger.ipv4 && line["protocol"] === "udp" && line["port"] === 700,
      );
      assert.deepEqual(linesOn(s.daemon, s.client.ipv4), []);
    });
  });

  Deno.test(`F5: engine ${engine}, blocking 110.77.0.2 and 10.77.0.20 leaves 10.77.0.2 to be blocked`, async () => {
    await scene(block, async (s) => {
      for (const other of ["110.77.0.2", "10.77.0.20", "10.77.0.21"]) {
        assert.equal((await s.daemon.cli("block", other)).code, 0);
      }
      await syn(s.client, s.target, 21);
      await s.daemon.line(
        "it is blocked",
        (line) => line["type"] === "block" && line["source"] === s.client.ipv4,
      );
      assert.equal((await s.daemon.cli("unblock", s.client.ipv4)).code, 0);
      const { stdout } = await s.daemon.cli("list");
      for (const other of ["110.77.0.2", "10.77.0.20", "10.77.0.21"]) assert.ok(stdout.includes(other));
    });
  });

  Deno.test(`F6 F8: engine ${engine}, a block ends by itself, everywhere, and the next offence is a new line`, async () => {
    const config: Sections = {
      ...block,
      block: { duration: "2s", max_duration: "2s" },
      actions: {
        kill_route: "/sbin/iptables -I INPUT -s $TARGET$ -j DROP",
        kill_hosts_deny: "ALL: $TARGET$ : DENY",
      },
    };
    await scene(config, async (s) => {
      const isClean = async (): Promise<boolean> =>
        !(await s.target.out(["iptables", "-S", "INPUT"])).includes(s.client.ipv4) &&
        !(await Deno.readTextFile(`${s.daemon.directory}/hosts.deny`)).includes(s.client.ipv4);
      for (const offence of [1, 2]) {
        await syn(s.client, s.target, 21);
        await until(
          "the line is written",
          async () => (await s.daemon.history()).split("\n").length === offence + 1,
        );
        await until("it is over", isClean);
        assert.ok(await reaches(s.client, s.target.ipv4, 80));
      }
    }, (_, target) => serve(target, 80));
  });

  Deno.test(`F11: engine ${engine}, a trigger counts ports of one source, TCP and UDP together, not packets`, async () => {
    const config: Sections = { ...block, detect: { engine, scan_trigger: 3 }, block: { quarantine: "0s" } };
    await scene(config, async (s) => {
      for (let i = 0; i < 6; i++) await syn(s.client, s.target, 21);
      await s.client.run(["hping3", "-q", "-2", "-c", "1", "-p", "69", s.target.ipv4]);
      const other = await s.lab.host();
      await syn(other, s.target, 22);
      await s.daemon.line("the other is told of", (line) => line["source"] === other.ipv4);
      assert.deepEqual(s.daemon.log.filter((line) => line["type"] === "block"), []);
      await syn(s.client, s.target, 23);
      const ban = await s.daemon.line("the third port bans", (line) => line["type"] === "block");
      assert.equal(ban["source"], s.client.ipv4);
      assert.equal(ban["ports"], 3);
    });
  });
}

Deno.test("F9: the history is added to by every start, and never cut off", async () => {
  await using lab = await Lab.create();
  const [target, client] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir({ prefix: "portsnare-history-" });
  const line = "1795207546 - 11/20/2026 20:45:46 Host: 192.0.2.1/192.0.2.1 Port: 23 TCP Blocked\n";
  await Deno.writeTextFile(`${directory}/history`, line);
  const options = { directory, config: { detect: { scan_trigger: 0 } } };
  const first = await Daemon.start(target, options);
  await syn(client, target, 21);
  await until("the offence is written", async () => (await first.history()).split("\n").length === 3);
  await first.stop();
  const before = await first.history();
  assert.ok(before.startsWith(line));
  await using second = await Daemon.start(target, options);
  assert.equal(await second.history(), before);
});

Deno.test("F15: a port that cannot be bound is named, and the next one is told by its own number", async () => {
  const config: Sections = {
    tcp: { mode: "connect", ports: [77, 78, 79, 80] },
    detect: { scan_trigger: 0 },
    log: { format: "text" },
  };
  await scene(config, async (s) => {
    await s.daemon.heard((line) =>
      line.includes("adminalert: ERROR: could not bind TCP socket: 78. Attempting to continue")
    );
    await reaches(s.client, s.target.ipv4, 79);
    await s.daemon.heard((line) =>
      line.includes(`Connect from host: ${s.client.ipv4}/${s.client.ipv4} to TCP port: 79`)
    );
  }, (_, target) => serve(target, 78));
});
