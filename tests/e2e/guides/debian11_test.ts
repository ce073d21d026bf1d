/**
 * The guides "Debian11, Server, Portsentry to block port scans" and its French twin, which has
 * the same lines: advanced modes, blocking by iptables' CHAOS target and TCP wrappers, ignore lines.
 *
 * Their part on fail2ban is in fail2ban_test.ts, installation and `systemctl` in the package's tests.
 */
import assert from "node:assert/strict";
import { reaches } from "../../lab/clients.ts";
import { besieged, LAN_ADDRESS, PUBLIC_ADDRESS, scan, scanUdp, SERVICE_PORT } from "../../lab/besieged.ts";
import { until } from "../../lab/lab.ts";
import { recipe } from "../../lab/chaos_guide.ts";
import { NameServer } from "../../lab/name_server.ts";

/** A chain of the name that xtables-addons' target has is the same to the rule. */
const CHAOS =
  "iptables -N CHAOS && iptables -A CHAOS -p tcp -j REJECT --reject-with tcp-reset && iptables -A CHAOS -j DROP";

Deno.test("seeds 000 and 003 (Debian11), C3 C4: the sed lines change what they name and nothing else, and a restart obeys them", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    const first = await machine.start();
    const before = (await machine.read("/etc/portsentry/portsentry.conf")).split("\n");
    await scan(scanner, "2-20");
    await recipe(machine);
    const after = (await machine.read("/etc/portsentry/portsentry.conf")).split("\n");
    assert.deepEqual(after.filter((line, i) => line !== before[i]), [
      'RESOLVE_HOST = "1"',
      'BLOCK_UDP="1"',
      'BLOCK_TCP="1"',
      '#KILL_ROUTE="/sbin/route add -host $TARGET$ reject"',
      'KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j CHAOS"',
    ]);
    assert.equal(machine.count("TCP SYN/Normal scan"), 0, "a SYN scan is nothing to the stock mode, tcp");
    assert.equal(await machine.stop(first), 0);

    await machine.sh(CHAOS);
    await machine.start();
    await scan(scanner, "1023");
    await machine.heard(
      `attackalert: TCP SYN/Normal scan from host: ${scannerAddress}/${scannerAddress} to TCP port: 1023`,
    );
    await machine.heard(`attackalert: Host ${scannerAddress} has been blocked via dropped route`);
  });
});

Deno.test("seeds 000 and 003 (Debian11), C11 C12 C13 F6: the scanner meets CHAOS and TCP wrappers; unblock takes both back", async () => {
  await besieged(async ({ machine, scanner, scannerAddress, lab }) => {
    await recipe(machine);
    await machine.sh(CHAOS);
    await machine.start();
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");
    await scan(scanner, "23");
    const command = `/sbin/iptables -I INPUT -s ${scannerAddress} -j CHAOS`;
    await machine.heard(
      `attackalert: Host ${scannerAddress} has been blocked via wrappers with string: "ALL: ${scannerAddress} : DENY"`,
    );
    await machine.heard(
      `attackalert: Host ${scannerAddress} has been blocked via dropped route using command: "${command}"`,
    );
    assert.match(await machine.sh("iptables -S INPUT"), /-A INPUT -s 203\.0\.113\.9\/32 -j CHAOS/);
    assert.equal(await machine.tcpd(scannerAddress), "denied");
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
    assert.match(await machine.history(), /^\d+ - \S+ \S+ Host: \S+\/203\.0\.113\.9 Port: 23 TCP Blocked\n$/);

    const other = await lab.host();
    assert.ok(await reaches(other, LAN_ADDRESS, SERVICE_PORT), "others must be served");

    assert.equal((await machine.portsnare("unblock", scannerAddress)).code, 0);
    assert.doesNotMatch(await machine.sh("iptables -S INPUT"), /203\.0\.113\.9/);
    assert.equal(await machine.tcpd(scannerAddress), "granted");
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after unblock");
  });
});

Deno.test("seeds 000 and 003 (Debian11): UDP scanners are blocked as well", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.sh(CHAOS);
    await machine.start();
    await scanUdp(scanner, "69");
    await machine.heard(
      `attackalert: UDP scan from host: ${scannerAddress}/${scannerAddress} to UDP port: 69`,
    );
    await machine.heard("has been blocked via dropped route");
    assert.match(await machine.history(), /Port: 69 UDP Blocked\n$/);
  });
});

Deno.test("seeds 000 and 003 (Debian11), F1: without xtables-addons the failure names the packages, and TCP wrappers block all the same", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.start();
    await scan(scanner, "23");
    const line = await machine.heard(
      "adminalert: ERROR: There was an error trying to block host (exec fail)",
    );
    assert.match(line, /install the Debian packages xtables-addons-dkms and xtables-addons-common/);
    assert.equal(machine.count("has been blocked via dropped route"), 0);
    assert.equal(await machine.tcpd(scannerAddress), "denied");
    assert.match(await machine.history(), /203\.0\.113\.9 Port: 23 TCP Blocked\n$/);
    assert.equal(
      (await machine.portsnare("unblock", scannerAddress)).code,
      0,
      "no rule was made, none is left",
    );
    assert.equal(await machine.tcpd(scannerAddress), "granted");
  });
});

Deno.test("seeds 000 and 003 (Debian11), F1: when CHAOS is the only action and fails, nothing says that anybody was blocked", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.sh("sed -i 's/^KILL_HOSTS_DENY/#&/' /etc/portsentry/portsentry.conf");
    await machine.start();
    await scan(scanner, "23");
    await machine.heard(/attackalert: ERROR: Could not block host \S+203\.0\.113\.9 !!/);
    assert.equal(machine.count("has been blocked via"), 0);
    assert.equal(await machine.history(), "");
    assert.doesNotMatch((await machine.portsnare("list")).stdout, new RegExp(scannerAddress));
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "it is not blocked, and nobody says so");
  });
});

for (const mask of ["24", "255.255.255.0"]) {
  Deno.test(`seeds 000 and 003 (Debian11), C14 F4: LAN_IP/LAN_NM with LAN_NM=${mask} ignores the whole network, host bits and all`, async () => {
    await besieged(async ({ machine, friend, scanner, scannerAddress }) => {
      await recipe(machine, { mask });
      await machine.sh(CHAOS);
      await machine.start();
      await scan(friend, "20-40", LAN_ADDRESS);
      await scanUdp(friend, "69", LAN_ADDRESS);
      await scan(scanner, "23");
      await machine.heard(`Host ${scannerAddress} has been blocked via dropped route`);
      assert.equal(machine.count(friend.ipv4), 0);
      assert.ok(await reaches(friend, LAN_ADDRESS, SERVICE_PORT));
      assert.equal(await machine.tcpd(friend.ipv4), "granted");
    });
  });
}

Deno.test("seeds 000 and 003 (Debian11): check understands the configuration, and names the hosts.allow line that overrides blocks", async () => {
  await besieged(async ({ machine }) => {
    await recipe(machine);
    const { code, stdout, stderr } = await machine.portsnare("check");
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /advanced/);
    assert.match(stdout, /hosts\.allow/);
  });
});

Deno.test("seeds 000 and 003 (Debian11), F20: RESOLVE_HOST = 1 puts the name of the scanner into log and history", async () => {
  await besieged(async ({ lab, machine, scanner, scannerAddress }) => {
    const names = await lab.host();
    await NameServer.start(names, { [scannerAddress]: ["scanner", "example", "net"] });
    await machine.write("/etc/resolv.conf", `nameserver ${names.ipv4}\n`);
    await recipe(machine);
    await machine.sh(CHAOS);
    await machine.start();
    await scan(scanner, "23");
    const line = await until("the history is written", async () => await machine.history() || undefined);
    assert.match(line, /Host: scanner\.example\.net\/203\.0\.113\.9 Port: 23 TCP Blocked\n$/);
  });
});
