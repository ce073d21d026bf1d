/**
 * Forged probes in the name of an administrator who is logged in: the kernel may hold an address a moment before the daemon
 * knows of the session, and must let go of it as soon as it does.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { openSession } from "../lab/session.ts";
import { bannedInKernel, BLOCKING, forge } from "../lab/siege.ts";

/** Not 22, which is the default, and among the trapped ports. */
const SESSION_PORT = 822;
const SERVICE_PORT = 80;
const PORTS = Array.from({ length: 40 }, (_, index) => 500 + index);
/** Far longer than anything that is waited for here: who is free was let go, and did not merely outlast it. */
const QUARANTINE = "60s";
/** Sessions are looked for each second; a client sends its SYN again after one and after three. */
const SECONDS = 5;

for (const [engine, trigger] of [["kernel", 3], ["kernel", 0], ["raw", 3], ["raw", 0]] as const) {
  const config = {
    ...BLOCKING,
    detect: { engine, scan_trigger: trigger },
    block: { quarantine: QUARANTINE },
    ignore: { session_ports: [SESSION_PORT] },
  };

  Deno.test(`session: engine ${engine}, scan_trigger ${trigger}, forged probes in the name of who logged in this moment hold nobody`, async (test) => {
    await using lab = await Lab.create();
    const [target, admin, attacker] = [await lab.host(), await lab.host(), await lab.host()];
    await serve(target, SESSION_PORT, SERVICE_PORT);
    await using daemon = await Daemon.start(target, { config });
    for (const [source, dest] of [[admin.ipv4, target.ipv4], [admin.ipv6, target.ipv6]] as const) {
      await test.step(source, async () => {
        {
          using session = await openSession(admin, { address: dest, port: SESSION_PORT });
          forge(attacker, { source, dest, ports: PORTS });
          assert.ok(await session.echoes(), "the session is cut");
          await until("new connections are answered", () => reaches(admin, dest, SERVICE_PORT), SECONDS);
          await told(daemon, source);
          // The same again, now that everybody knows.
          forge(attacker, { source, dest, ports: PORTS });
          assert.ok(await reaches(admin, dest, SERVICE_PORT), "a new connection must be answered");
          assert.ok(await session.echoes(), "the session is cut later");
        }
        await until("the session is over", async () => !(await isProtected(target, source)), SECONDS);
        assert.ok(await reaches(admin, dest, SERVICE_PORT), "nothing is held against who was logged in");
        assert.deepEqual(daemon.about(source, "block"), []);
      });
    }
    assert.deepEqual(await bannedInKernel(target), []);
  });
}

Deno.test("session: one that is completed after its address was put in quarantine frees the address", async (test) => {
  await using lab = await Lab.create();
  const [target, admin, attacker] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, SESSION_PORT, SERVICE_PORT);
  await using daemon = await Daemon.start(target, {
    config: {
      ...BLOCKING,
      detect: { engine: "kernel" },
      block: { quarantine: QUARANTINE },
      ignore: { session_ports: [SESSION_PORT] },
    },
  });
  for (const [source, dest] of [[admin.ipv4, target.ipv4], [admin.ipv6, target.ipv6]] as const) {
    await test.step(source, async () => {
      // The last step of the handshake is held back until the probe has come.
      await admin.out(["nft", "-f", "-"], { stdin: HOLD_BACK });
      const opening = openSession(admin, { address: dest, port: SESSION_PORT });
      await until("the handshake has begun", () => isOpening(target), SECONDS);
      forge(attacker, { source, dest, ports: [500] });
      await daemon.line("the probe is told", (line) => line["source"] === source && line["port"] === 500);
      assert.equal(await reaches(admin, dest, SERVICE_PORT), false, "held up like anybody else");
      await admin.out(["nft", "delete", "table", "inet", "hold"]);
      using _session = await opening;
      await until("new connections are answered", () => reaches(admin, dest, SERVICE_PORT), SECONDS);
      forge(attacker, { source, dest, ports: PORTS });
      await told(daemon, source);
      assert.deepEqual(daemon.about(source, "block"), []);
      assert.ok(await reaches(admin, dest, SERVICE_PORT), "a new connection must be answered");
    });
  }
  assert.deepEqual(await bannedInKernel(target), []);
});

const HOLD_BACK = `table inet hold {
  chain output { type filter hook output priority 0; tcp dport ${SESSION_PORT} tcp flags & syn == 0 drop; }
}`;

/** Wait until the daemon has said that the address is protected because of a session. */
async function told(daemon: Daemon, source: string): Promise<void> {
  await daemon.line(
    `a probe of ${source} is told as that of somebody protected`,
    (line) => line["source"] === source && line["verdict"] === "protected" && line["reason"] === "session",
  );
}

async function isProtected(host: Host, address: string): Promise<boolean> {
  const set = `protected${address.includes(":") ? 6 : 4}`;
  const { code } = await host.run(["nft", "get", "element", "inet", "portsnare", set, `{ ${address} }`]);
  return code === 0;
}

async function isOpening(host: Host): Promise<boolean> {
  return (await host.out(["ss", "-Htn", "state", "syn-recv"])) !== "";
}
