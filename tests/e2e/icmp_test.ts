/** ICMP as evidence, which an administrator has to ask for (`detect.icmp`), with both engines. */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { banOf, BLOCKING } from "../lab/siege.ts";

const ECHO = 8;
const ECHO6 = 128;
/** Echo, timestamp and address mask: what nmap -PE -PP -PM asks for. */
const SWEEP = [ECHO, 13, 17];

for (const engine of ["kernel", "raw"]) {
  Deno.test(`ICMP: engine ${engine}, pings are told and hold nobody, three kinds of requests are a scan`, async () => {
    await using lab = await Lab.create();
    const [target, friend, scanner] = [await lab.host(), await lab.host(), await lab.host()];
    await serve(target, 80);
    await using daemon = await Daemon.start(target, {
      config: { ...BLOCKING, detect: { engine, icmp: true } },
    });
    for (
      const [source, dest, type] of [
        [friend.ipv4, target.ipv4, ECHO],
        [friend.ipv6, target.ipv6, ECHO6],
      ] as const
    ) {
      await friend.out(["ping", "-q", "-c", "4", "-i", "0.05", dest]);
      await until("they are told", () => told(daemon, source).length === 4);
      assert.deepEqual(told(daemon, source), [type, type, type, type]);
      assert.ok(await reaches(friend, dest, 80), "who pings is held up");
      assert.deepEqual(daemon.about(source, "block"), []);
    }
    for (const type of SWEEP) await request(scanner, target, type);
    await banOf(daemon, scanner.ipv4);
    assert.deepEqual(told(daemon, scanner.ipv4), SWEEP);
    assert.equal(await reaches(scanner, target.ipv4, 80), false);
  });
}

async function request(from: Host, to: Host, type: number): Promise<void> {
  await from.run(["hping3", "-q", "--icmp", "-C", String(type), "-c", "1", to.ipv4]);
}

/** The types of the ICMP requests that were told of this source. */
function told(daemon: Daemon, source: string): readonly unknown[] {
  return daemon.about(source, "probe").filter((line) => line["protocol"] === "icmp").map((line) =>
    line["port"]
  );
}
