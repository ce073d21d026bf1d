/** Tagged frames with the whole daemon and both engines: a tag hides no scan, and none is told twice. @module */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab } from "../lab/lab.ts";
import { FrameSender } from "../lab/raw_sender.ts";
import { banOf, BLOCKING, forge } from "../lab/siege.ts";

const TCP = 6;
const PORTS = [601, 602, 603];
const VLAN = 5;

for (const engine of ["kernel", "raw"]) {
  Deno.test(`VLAN: engine ${engine}, a tag hides no scan`, async (test) => {
    await using lab = await Lab.create();
    const [target, scanner] = [await lab.host(), await lab.host()];
    const hasVlan = await addVlan(target, "10.78.0.1/24") && await addVlan(scanner, "10.78.0.2/24");
    await using daemon = await Daemon.start(target, { config: { ...BLOCKING, detect: { engine } } });

    await test.step("a priority without a VLAN", async () => {
      const mac = (await target.out(["cat", "/sys/class/net/eth0/address"])).trim();
      scanner.inside(() => {
        using sender = new FrameSender();
        for (const destPort of PORTS) {
          const packet = { source: scanner.ipv4, dest: target.ipv4, protocol: TCP, destPort };
          sender.send(packet, { mac, vlanTag: 0xe000 });
        }
      });
      await banOf(daemon, scanner.ipv4);
    });

    await test.step("an interface of a VLAN", async () => {
      if (!hasVlan) {
        console.log("NOT TESTED: this kernel has no VLAN interfaces (8021q)");
        return;
      }
      forge(scanner, { source: "10.78.0.2", dest: "10.78.0.1", ports: PORTS });
      await banOf(daemon, "10.78.0.2");
      // Those that were held are read first.
      const told = daemon.about("10.78.0.2", "probe").map((line) => line["port"]);
      assert.deepEqual(told.toSorted(), PORTS);
    });
  });
}

/** @returns Whether this kernel can do it. */
async function addVlan(host: Host, address: string): Promise<boolean> {
  const name = `eth0.${VLAN}`;
  const add = ["ip", "link", "add", "link", "eth0", "name", name, "type", "vlan", "id", String(VLAN)];
  const { code, stderr } = await host.run(add);
  if (stderr.includes("Unknown device type")) return false;
  assert.equal(code, 0, stderr);
  await host.out(["ip", "link", "set", name, "up"]);
  await host.out(["ip", "address", "add", address, "dev", name]);
  return true;
}
