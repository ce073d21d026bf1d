/**
 * The guides' `-j CHAOS` with the target of xtables-addons itself, which needs a kernel that has it:
 * scripts/xtables_addons.sh makes one and runs this there.
 */
import assert from "node:assert/strict";
import { besieged, PUBLIC_ADDRESS, scan, SERVICE_PORT } from "../lab/besieged.ts";
import { recipe } from "../lab/chaos_guide.ts";
import { reaches } from "../lab/clients.ts";
import { type Host, until } from "../lab/lab.ts";

const RULE = /^-A INPUT -s 203\.0\.113\.9\/32 -j CHAOS$/m;
/** So many that not to reject any of them is out of the question. */
const PACKETS = 2000;
const LIBRARY = "/usr/lib/x86_64-linux-gnu/xtables/libxt_CHAOS.so";

Deno.test("seeds 000 and 003 (Debian11), C13: the scanner meets the CHAOS of xtables-addons, until unblock removes the rule", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.start();
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");
    await scan(scanner, "23");
    await machine.heard(
      `attackalert: Host ${scannerAddress} has been blocked via dropped route using command: ` +
        `"/sbin/iptables -I INPUT -s ${scannerAddress} -j CHAOS"`,
    );
    const rules = await machine.sh("iptables -S");
    assert.match(rules, RULE);
    assert.doesNotMatch(rules, /-N CHAOS/, "a target, not a chain of that name");

    // xt_CHAOS.c: one packet in a hundred is rejected, the others vanish; the kernel limits how often it rejects.
    const before = await unreachable(scanner);
    const flood = `hping3 -q -a ${scannerAddress} -S -c ${PACKETS} -i u500 -p ++2000 ${PUBLIC_ADDRESS}`;
    await scanner.run(flood.split(" "));
    const [, packets] = /^\s*(\d+)\s+\d+\s+CHAOS/m.exec(await machine.sh("iptables -nvxL INPUT")) ?? [];
    assert.ok(Number(packets) >= PACKETS, `${packets} packets met the rule`);
    const rejected = await unreachable(scanner) - before;
    assert.ok(rejected > 0 && rejected < 100, `${rejected} of ${PACKETS} packets were rejected`);
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
    console.log(`${packets} packets met CHAOS, ${rejected} of them an ICMP error\n${rules}`);

    const { code, stdout, stderr } = await machine.portsnare("unblock", scannerAddress);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(await machine.sh("iptables -S INPUT"), /CHAOS/);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after unblock");
  });
});

Deno.test("seeds 000 and 003 (Debian11), F1: unblock says so when the rule cannot be removed, because xtables-addons was", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.start();
    await scan(scanner, "23");
    await machine.heard("has been blocked via dropped route");
    await Deno.rename(LIBRARY, `${LIBRARY}.away`);
    try {
      const { code, stdout, stderr } = await machine.portsnare("unblock", scannerAddress);
      console.log(stdout + stderr);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, /xtables-addons-common/);
      assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false, "it is true");
      assert.match((await machine.portsnare("list")).stdout, /203\.0\.113\.9/, "it is not forgotten");
    } finally {
      await Deno.rename(`${LIBRARY}.away`, LIBRARY);
    }
    // With xtables-addons again the daemon removes it at its next attempt, if nobody asks before.
    await machine.portsnare("unblock", scannerAddress);
    await until("the rule is gone", async () => !RULE.test(await machine.sh("iptables -S INPUT")), 90);
  });
});

/** How many ICMP messages of the type "destination unreachable" a host got so far. */
async function unreachable(host: Host): Promise<number> {
  const counters = await host.out(["nstat", "-asz", "IcmpInDestUnreachs"]);
  return Number(/^IcmpInDestUnreachs\s+(\d+)/m.exec(counters)?.[1]);
}
