/**
 * The guide "Customizing PortSentry": exclusions in the advanced modes, a black-hole route or iptables, and an
 * external command before or after the block.
 */
import assert from "node:assert/strict";
import { besieged, LAN_ADDRESS, PUBLIC_ADDRESS, scan, scanUdp, SERVICE_PORT } from "../../lab/besieged.ts";
import { reaches } from "../../lab/clients.ts";
import type { Machine } from "../../lab/machine.ts";

const BLOCKING = ['BLOCK_UDP="1"', 'BLOCK_TCP="1"'];
const IPTABLES = 'KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j DROP"';

/** The lines of the guide in place of the stock ones, and its advanced mode. */
async function recipe(machine: Machine, lines: readonly string[]): Promise<void> {
  await machine.setOptions(lines);
  await machine.write("/etc/default/portsentry", 'TCP_MODE="atcp"\nUDP_MODE="audp"\n');
}

for (const first of [false, true]) {
  const when = first ? "before" : "after";
  Deno.test(`seed 002 (Customizing), C11 C12: KILL_RUN_CMD_FIRST = "${first ? 1 : 0}" runs the command ${when} the block`, async () => {
    await besieged(async ({ machine, scanner, scannerAddress: ip }) => {
      const notify = `${machine.directory}/notify`;
      await recipe(machine, [
        ...BLOCKING,
        IPTABLES,
        `KILL_RUN_CMD_FIRST = "${first ? 1 : 0}"`,
        `KILL_RUN_CMD="${notify} $TARGET$ $PORT$ $MODE$"`,
      ]);
      // It writes down what of the block it finds in place.
      const script = 'echo "$@ $(iptables -S INPUT | grep -c DROP) $(grep -c "^ALL: $1" /etc/hosts.deny)"';
      await Deno.writeTextFile(notify, `#!/bin/sh\n${script} >> ${machine.directory}/ran\n`, { mode: 0o755 });
      await machine.start();
      await scan(scanner, "79");
      await machine.heard(
        `attackalert: External command run for host: ${ip} using command: "${notify} ${ip} 79 atcp"`,
      );
      await machine.heard("has been blocked via dropped route");
      assert.equal(
        await Deno.readTextFile(`${machine.directory}/ran`),
        `${ip} 79 atcp ${first ? "0 0" : "1 1"}\n`,
      );
      const told = machine.syslog().map((line) =>
        /External command|via wrappers|via dropped route/.exec(line)?.[0]
      );
      const walls = ["via wrappers", "via dropped route"];
      assert.deepEqual(
        told.filter((text) => text !== undefined),
        first ? ["External command", ...walls] : [...walls, "External command"],
      );
      assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
    });
  });
}

Deno.test("seed 002 (Customizing): a route through a neighbour that is not there keeps all answers from the scanner", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    const route = "/sbin/route add -host $TARGET$ gw 10.77.0.254";
    await recipe(machine, [...BLOCKING, `KILL_ROUTE="${route}"`]);
    await machine.start();
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");
    await scan(scanner, "79");
    await machine.heard(
      `has been blocked via dropped route using command: "${route.replace("$TARGET$", scannerAddress)}"`,
    );
    assert.match(await machine.sh(`ip route get ${scannerAddress}`), /via 10\.77\.0\.254/);
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
    assert.equal((await machine.portsnare("unblock", scannerAddress)).code, 0);
    assert.doesNotMatch(await machine.sh(`ip route get ${scannerAddress}`), /via/);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after unblock");
  });
});

Deno.test("seed 002 (Customizing), F1: the gateway of the guide, 123.45.67.89, cannot be reached from here, and the log says so", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine, [...BLOCKING, 'KILL_ROUTE="/sbin/route add -host $TARGET$ gw 123.45.67.89"']);
    await machine.start();
    await scan(scanner, "79");
    assert.match(await machine.heard("(exec fail)"), /unreachable/i);
    assert.equal(machine.count("has been blocked via dropped route"), 0);
    assert.equal(
      (await machine.portsnare("unblock", scannerAddress)).code,
      0,
      "no route was made, none is left",
    );
  });
});

Deno.test("seed 002 (Customizing), C19 F23: excluded NetBIOS and DHCP ports and broadcasts ban nobody of the LAN", async () => {
  await besieged(async ({ machine, friend, scanner, scannerAddress }) => {
    await recipe(machine, [...BLOCKING, IPTABLES]);
    await machine.start();
    await scanUdp(friend, "67,137,138,520", LAN_ADDRESS);
    await scan(friend, "113,139", LAN_ADDRESS);
    const broadcasts =
      "for p in 68 69 111 161 513 631; do nc -n -b -u -w 0 10.77.0.255 $p <<END\nx\nEND\ndone";
    await friend.run(["sh", "-c", broadcasts]);
    await scan(scanner, "112");
    await machine.heard(`Host ${scannerAddress} has been blocked via dropped route`);
    assert.equal(machine.count(friend.ipv4), 0);
    assert.ok(await reaches(friend, LAN_ADDRESS, SERVICE_PORT));
  });
});

Deno.test("seed 002 (Customizing), C12: with BLOCK 2 the external command runs, and nothing else", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    const ran = `${machine.directory}/ran`;
    await recipe(machine, [
      'BLOCK_UDP="2"',
      'BLOCK_TCP="2"',
      IPTABLES,
      `KILL_RUN_CMD="echo $TARGET$ $PORT$ >> ${ran}"`,
    ]);
    await machine.start();
    await scan(scanner, "79");
    await machine.heard(`External command run for host: ${scannerAddress}`);
    assert.equal(await Deno.readTextFile(ran), `${scannerAddress} 79\n`);
    assert.equal(await machine.sh("iptables -S INPUT"), "-P INPUT ACCEPT\n");
    assert.equal(await machine.read("/etc/hosts.deny"), "");
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT));
  });
});
