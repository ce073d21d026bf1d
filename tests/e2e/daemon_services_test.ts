/**
 * Services that come and go under the whole daemon, with both engines and the sharpest trigger: a single misjudged packet of a
 * client would be its ban.
 */
import assert from "node:assert/strict";
import type { StatusView } from "../../src/control/views.ts";
import { PortSet } from "../../src/net/ports.ts";
import { reaches } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

const GRACE_SECONDS = 3;

for (const engine of ["kernel", "raw"] as const) {
  const config = {
    detect: { engine, scan_trigger: 0, grace: `${GRACE_SECONDS}s` },
    tcp: { response: "block" },
    udp: { response: "block" },
  };

  Deno.test(`services: engine ${engine}, one that starts on a trapped port is safe from its first packet (C18)`, async () => {
    await using lab = await Lab.create();
    const [target, client, scanner] = [await lab.host(), await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config });
    // The raw engine looks at a packet a moment after it came: its service must still be there then.
    using services = new DisposableStack();
    for (let port = 200; port < 210; port++) {
      services.use(listenOn(target, port));
      assert.ok(await reaches(client, target.ipv4, port), `port ${port} must answer at once`);
      assert.ok(await reaches(client, target.ipv6, port), `port ${port} must answer at once over IPv6`);
    }
    await syn(scanner, target, 210);
    await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === scanner.ipv4);
    assert.deepEqual([...daemon.about(client.ipv4, "probe"), ...daemon.about(client.ipv6, "probe")], []);
  });

  Deno.test(`services: engine ${engine}, a port without its service is no trap during the grace, and a trap again behind it`, async () => {
    await using lab = await Lab.create();
    const [target, client] = [await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config });
    const service = listenOn(target, 300);
    await until("the service is known", async () => !(await trapped(daemon)).has(300), 5);
    service[Symbol.dispose]();
    // Longer than the daemon needs to see that the service is gone, shorter than the grace.
    for (let i = 0; i < 4; i++) {
      await syn(client, target, 300);
      await seconds(0.5);
    }
    await until("the port is a trap again", async () => (await trapped(daemon)).has(300), GRACE_SECONDS + 3);
    assert.deepEqual(
      daemon.about(client.ipv4, "probe"),
      [],
      "nothing may be told of who asked during the grace",
    );
    await until("who asks after the grace is banned", async () => {
      await syn(client, target, 300);
      return daemon.about(client.ipv4, "block").length > 0;
    }, 5);
  });

  Deno.test(`services: engine ${engine}, the ports served before a reboot are no traps after it, before their services are up`, async () => {
    await using lab = await Lab.create();
    const [target, client, scanner] = [await lab.host(), await lab.host(), await lab.host()];
    const longGrace = { ...config, detect: { ...config.detect, grace: "10m" } };
    await using before = await Daemon.start(target, { config: longGrace });
    {
      using _ = listenOn(target, 310);
      await until("the service is known", async () => !(await trapped(before)).has(310), 5);
      assert.equal(await before.stop(), 0);
    }
    await target.out(["nft", "delete", "table", "inet", "portsnare"]);
    await using after = await Daemon.start(target, { config: longGrace, directory: before.directory });
    await syn(client, target, 310);
    await syn(scanner, target, 311);
    await after.line("the ban", (line) => line["type"] === "block" && line["source"] === scanner.ipv4);
    assert.deepEqual(after.about(client.ipv4, "probe"), []);
    using _ = listenOn(target, 310);
    assert.ok(await reaches(client, target.ipv4, 310), "its service comes up late");
  });

  Deno.test(`services: engine ${engine}, one that only this host can reach blinds nothing, now or in its grace (F17)`, async () => {
    await using lab = await Lab.create();
    const [target, ...scanners] = [await lab.host(), await lab.host(), await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config });
    const banned = async (scanner: Host | undefined, port: number): Promise<void> => {
      if (scanner === undefined) throw new Error("There are not enough scanners");
      await syn(scanner, target, port);
      await daemon.line("the ban", (line) => line["type"] === "block" && line["source"] === scanner.ipv4);
    };
    {
      using _ = listenOn(target, 320, "127.0.0.1");
      await banned(scanners[0], 320);
      await seconds(2);
      await banned(scanners[1], 320);
    }
    await banned(scanners[2], 320);
  });
}

/** A listening socket, closed when disposed of; the kernel alone answers for it. */
function listenOn(host: Host, port: number, hostname = "::"): Disposable {
  return host.inside(() => Deno.listen({ hostname, port }));
}

async function syn(from: Host, to: Host, port: number): Promise<void> {
  await from.run(["hping3", "-q", "-c", "1", "-S", "-p", String(port), to.ipv4]);
}

/** The TCP ports that the daemon says are trapped. */
async function trapped(daemon: Daemon): Promise<PortSet> {
  const result = await daemon.cli("status", "--json");
  assert.equal(result.code, 0, result.stderr);
  const status: StatusView = JSON.parse(result.stdout);
  return PortSet.of(
    ...status.tcp.ports.split(",").flatMap((text) => {
      const [first = 0, last = first] = text.trim().split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    }),
  );
}

/** Time in which the daemon looks at the listeners. */
async function seconds(count: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, count * 1000));
}
