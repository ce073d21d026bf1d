/**
 * What a quarantine does to somebody innocent, with both engines: what is open goes on, what is new waits, and not twice for
 * the same slip.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, type Result, until } from "../lab/lab.ts";
import { openSession } from "../lab/session.ts";

/** `block.quarantine` as it is by default, and a second for a busy machine. */
const WAIT_SECONDS = 6;
/** The client's window: without its acknowledgements a server sends no more than that. */
const SMALL_WINDOW = "net.ipv4.tcp_rmem=4096 65536 262144";
const MORE_THAN_BUFFERS = 1_000_000;

for (const engine of ["kernel", "raw"] as const) {
  const config = { detect: { engine }, tcp: { response: "block" }, udp: { response: "block" } };

  Deno.test(`quarantine: engine ${engine}, open connections go on, new ones wait five seconds at most`, async (test) => {
    await using lab = await Lab.create();
    const [target, client] = [await lab.host(), await lab.host()];
    await client.out(["sysctl", "-qw", SMALL_WINDOW]);
    await serve(target, 22, 80);
    await using daemon = await Daemon.start(target, { config });
    for (const address of [target.ipv4, `[${target.ipv6}]`]) {
      const plain = address.replace(/[[\]]/g, "");
      await test.step(address, async () => {
        // Some eight seconds of a download, near whose beginning the quarantine begins.
        const download = client.run([
          "curl",
          "-sS",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code} %{size_download}",
          "--limit-rate",
          "5M",
          "--max-time",
          "30",
          `http://${address}/?bytes=40000000`,
        ]);
        await until("the download is on its way", async () => await bytesReceived(client) > 0);
        await syn(client, plain, plain === target.ipv4 ? 81 : 82);
        await until("new connections are held up", async () => !(await reaches(client, plain, 80)), 3);
        const early = await bytesReceived(client);
        await until(
          "the download goes on meanwhile",
          async () => await bytesReceived(client) > early + MORE_THAN_BUFFERS,
          3,
        );
        // Its SYNs are repeated by the kernel, as those of any program that waits.
        const patient: Promise<Result> = client.run(["nc", "-n", "-z", "-w", "10", plain, "22"]);
        await until("a new connection is answered again", () => reaches(client, plain, 80), WAIT_SECONDS);
        assert.equal((await download).stdout, "200 40000000");
        assert.equal((await patient).code, 0, "who waits is connected in the end");
      });
    }
    assert.deepEqual(daemon.log.filter((line) => line["type"] === "block"), []);
  });

  Deno.test(`quarantine: engine ${engine}, who is logged in by SSH is not even held up`, async () => {
    await using lab = await Lab.create();
    const [target, admin] = [await lab.host(), await lab.host()];
    await serve(target, 22, 80);
    await using daemon = await Daemon.start(target, { config });
    using _session = await openSession(admin, { address: target.ipv4, port: 22 });
    await until(
      "the session is protected",
      async () => (await daemon.cli("status")).stdout.includes(admin.ipv4),
    );
    for (const port of [81, 82, 83, 84]) await syn(admin, target.ipv4, port);
    await daemon.line("the slips are told", (line) => line["source"] === admin.ipv4 && line["port"] === 84);
    assert.ok(await reaches(admin, target.ipv4, 80), "a new connection must be answered");
    assert.deepEqual(daemon.about(admin.ipv4, "block"), []);
  });

  Deno.test(`quarantine: engine ${engine}, a monitor of a service that is gone is held up once`, async () => {
    await using lab = await Lab.create();
    const [target, monitor] = [await lab.host(), await lab.host()];
    await serve(target, 80);
    await using daemon = await Daemon.start(target, { config });
    await syn(monitor, target.ipv4, 99);
    await until("it is held up", async () => !(await reaches(monitor, target.ipv4, 80)), 3);
    await until("and answered again", () => reaches(monitor, target.ipv4, 80), WAIT_SECONDS);
    for (let i = 0; i < 10; i++) {
      await syn(monitor, target.ipv4, 99);
      assert.ok(await reaches(monitor, target.ipv4, 80), `asking for the same port again, ${i}`);
    }
    await until("all of it is told", () => daemon.about(monitor.ipv4, "probe").length === 11);
    assert.deepEqual(daemon.about(monitor.ipv4, "block"), []);
    await syn(monitor, target.ipv4, 98);
    await until("another port holds it up again", async () => !(await reaches(monitor, target.ipv4, 80)), 3);
  });
}

async function syn(from: Host, to: string, port: number): Promise<void> {
  const { code } = await from.run(["nc", "-n", "-z", "-w", "1", to, String(port)]);
  assert.equal(code, 1, `port ${port} must not answer`);
}

/** What the host's kernel has received on its established connections. */
async function bytesReceived(host: Host): Promise<number> {
  const text = await host.out(["ss", "-Htin", "state", "established"]);
  return [...text.matchAll(/bytes_received:(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0);
}
