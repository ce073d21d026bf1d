/**
 * The guide "Se protéger contre le scan de ports avec portsentry": exceptions for monitoring, advanced modes,
 * blocking by `iptables -j DROP`, and lifting a block by hand.
 */
import assert from "node:assert/strict";
import { address, besieged, LAN_ADDRESS, PUBLIC_ADDRESS, scan, SERVICE_PORT } from "../../lab/besieged.ts";
import { reaches } from "../../lab/clients.ts";
import { until } from "../../lab/lab.ts";
import type { Machine } from "../../lab/machine.ts";

/** What the guide tells to do in an editor. */
const EDITS = String.raw`
printf 'TCP_MODE="atcp"\nUDP_MODE="audp"\n' > /etc/default/portsentry
cd /etc/portsentry
sed -i 's/^BLOCK_UDP=.*/BLOCK_UDP="1"/; s/^BLOCK_TCP=.*/BLOCK_TCP="1"/' portsentry.conf
sed -i 's/^KILL_ROUTE/#&/' portsentry.conf
sed -i 's/^#\(KILL_ROUTE="\/sbin\/iptables -I INPUT -s $TARGET$ -j DROP"\)/\1/' portsentry.conf
`;

/** The rule that the guide makes and removes. */
const RULE = /-A INPUT -s 203\.0\.113\.9\/32 -j DROP/;

async function recipe(machine: Machine, exceptions = "10.77.0.0/24"): Promise<void> {
  await machine.sh(EDITS);
  await machine.sh(`printf '%s\\n' ${exceptions} >> /etc/portsentry/portsentry.ignore.static`);
}

Deno.test("seed 001 (Se protéger): its grep shows the one KILL_ROUTE that is left", async () => {
  await besieged(async ({ machine }) => {
    await recipe(machine);
    assert.equal(
      await machine.sh('cd /etc/portsentry; cat portsentry.conf | grep KILL_ROUTE | grep -v "#"'),
      'KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j DROP"\n',
    );
  });
});

Deno.test("seed 001 (Se protéger), C10 C17: nmap gives the log lines of the guide, and the scanner is dropped", async () => {
  await besieged(async ({ machine, scanner, scannerAddress: ip }) => {
    await recipe(machine);
    await machine.start();
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");
    await scan(scanner, "1,79");
    await machine.heard("has been blocked via dropped route");
    await scan(scanner, "80");
    for (
      const text of [
        `attackalert: TCP SYN/Normal scan from host: ${ip}/${ip} to TCP port: `,
        `attackalert: Host ${ip} has been blocked via wrappers with string: "ALL: ${ip} : DENY"`,
        `attackalert: Host ${ip} has been blocked via dropped route using command: "/sbin/iptables -I INPUT -s ${ip} -j DROP"`,
        `attackalert: Host: ${ip}/${ip} is already blocked Ignoring`,
      ]
    ) assert.match(await machine.heard(text), /^<29>\w{3} [ \d]\d \d\d:\d\d:\d\d portsentry\[\d+\]: /);
    assert.match(await machine.sh("iptables -S INPUT"), RULE);
    assert.equal((await machine.sh("iptables -S INPUT")).match(/203\.0\.113\.9/g)?.length, 1);
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
  });
});

Deno.test("seed 001 (Se protéger), C10: start and stop are told in PortSentry's words", async () => {
  await besieged(async ({ machine }) => {
    await recipe(machine);
    const daemon = await machine.start();
    await machine.heard(/^<29>.* portsentry\[\d+\]: adminalert: PortSentry is now active and listening\.$/);
    assert.equal(await machine.stop(daemon), 0);
    await machine.heard(/^<29>.* portsentry\[\d+\]: securityalert: PortSentry is shutting down$/);
    await machine.heard(/^<29>.* portsentry\[\d+\]: adminalert: PortSentry is shutting down$/);
  });
});

Deno.test("seed 001 (Se protéger), F6: after iptables -D by hand the packets get through, and unblock takes back the rest", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.start();
    await scan(scanner, "23");
    await machine.heard("has been blocked via dropped route");
    assert.match(
      await machine.sh("iptables -L -n -v"),
      /DROP\s+(?:all|0)\s+--\s+\*\s+\*\s+203\.0\.113\.9\s+0\.0\.0\.0\/0/,
    );
    await machine.sh(`iptables -D INPUT -s ${scannerAddress} -j DROP`);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after iptables -D");
    assert.match(await machine.read("/etc/hosts.deny"), /ALL: 203\.0\.113\.9 : DENY/);

    const { code, stderr } = await machine.portsnare("unblock", scannerAddress);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(await machine.read("/etc/hosts.deny"), /203\.0\.113\.9/);
    await scan(scanner, "23");
    await until(
      "who was released and scans again is blocked again",
      async () => RULE.test(await machine.sh("iptables -S INPUT")),
    );
  });
});

Deno.test("seed 001 (Se protéger), C14 F3: addresses and prefixes in portsentry.ignore.static are exceptions, and the own addresses are", async () => {
  await besieged(async ({ lab, machine, scanner, scannerAddress }) => {
    await recipe(machine, "203.0.113.77 198.51.100.0/24");
    await machine.start();
    const monitor = await lab.host();
    await address(monitor, "203.0.113.77/24");
    const other = await lab.host();
    await address(other, "198.51.100.9/24");
    await address(machine.host, "198.51.100.1/24");
    await scan(monitor, "20-40");
    await scan(other, "20-40", "198.51.100.1");
    await scan(machine.host, "20-40", LAN_ADDRESS);
    await scan(scanner, "23");
    await machine.heard(`Host ${scannerAddress} has been blocked via dropped route`);
    assert.equal((await machine.sh("iptables -S INPUT")).match(/DROP/g)?.length, 1);
    assert.equal(machine.count("203.0.113.77") + machine.count("198.51.100.9"), 0);
  });
});

Deno.test("seed 001 (Se protéger), F12: a scanner over IPv6 is kept out by TCP wrappers, and the log says that iptables is for IPv4", async () => {
  await besieged(async ({ machine, scanner }) => {
    await recipe(machine);
    await machine.start();
    await scanner.out(["nmap", "-6", "-n", "-Pn", "-sS", "-p", "23", machine.host.ipv6]);
    await machine.heard(
      `Host ${scanner.ipv6} has been blocked via wrappers with string: "ALL: [${scanner.ipv6}] : DENY"`,
    );
    assert.match(
      await machine.heard("(exec fail)"),
      /iptables is for IPv4 only: actions\.firewall keeps out both/,
    );
    assert.equal(await machine.tcpd(scanner.ipv6), "denied");
    const unblocked = await machine.portsnare("unblock", scanner.ipv6);
    assert.equal(unblocked.code, 0, "there is nothing of iptables' to take back");
    assert.equal(await machine.tcpd(scanner.ipv6), "granted");
    assert.match(await machine.history(), /Host: fd77::3\/fd77::3 Port: 23 TCP Blocked\n$/);
  });
});

Deno.test("seed 001 (Se protéger), F7: a restart keeps the block, and doubles neither the rule nor the line", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    const first = await machine.start();
    await scan(scanner, "23");
    await machine.heard("has been blocked via dropped route");
    await machine.stop(first);
    await machine.start();
    await scan(scanner, "24");
    await machine.heard(`attackalert: Host: ${scannerAddress}/${scannerAddress} is already blocked Ignoring`);
    assert.equal((await machine.sh("iptables -S INPUT")).match(/203\.0\.113\.9/g)?.length, 1);
    assert.equal((await machine.read("/etc/hosts.deny")).match(/^ALL: 203\.0\.113\.9/gm)?.length, 1);
  });
});

Deno.test("seed 001 (Se protéger), F6: unblock takes back the rule that was made, though KILL_ROUTE says something else by now", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    const rule = "/sbin/iptables -I INPUT -s $TARGET$ -p tcp -m comment --comment trap-$PORT$ -j DROP";
    await machine.setOptions([`KILL_ROUTE="${rule}"`]);
    const first = await machine.start();
    await scan(scanner, "23");
    await machine.heard("has been blocked via dropped route");
    assert.match(await machine.sh("iptables -S INPUT"), /--comment trap-23 /);
    await machine.setOptions(['KILL_ROUTE="/sbin/route add -host $TARGET$ reject"']);
    assert.equal((await machine.portsnare("reload")).code, 0);
    await machine.stop(first);
    await machine.start();
    const { code, stdout } = await machine.portsnare("unblock", scannerAddress);
    assert.equal(code, 0, stdout);
    assert.doesNotMatch(await machine.sh("iptables -S INPUT"), /203\.0\.113\.9/);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after unblock");
  });
});

Deno.test("seed 001 (Se protéger), F1: unblock says so when nobody knows the opposite of KILL_ROUTE", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.setOptions([
      'KILL_ROUTE="/sbin/iptables -I INPUT -s $TARGET$ -j DROP && /sbin/iptables -I INPUT -s $TARGET$ -j ACCEPT -p icmp"',
    ]);
    assert.match((await machine.portsnare("check")).stdout, /note: What actions\.kill_route does stays/);
    await machine.start();
    await scan(scanner, "23");
    await machine.heard("has been blocked via dropped route");
    const { code, stdout } = await machine.portsnare("unblock", scannerAddress);
    assert.equal(code, 69, stdout);
    assert.match(stdout, /kill_route: FAILED: what it did stays, .*; set actions\.unblock_cmd/);
    assert.match(await machine.sh("iptables -S INPUT"), RULE, "it is true");
    await machine.heard(`ERROR: Could not release host ${scannerAddress} from kill_route: what it did stays`);
  });
});

Deno.test("seed 001 (Se protéger), C16: as installed nothing is blocked", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await machine.start();
    await scanner.run(["nmap", "-n", "-Pn", "-sT", "-p", "1-20", PUBLIC_ADDRESS]);
    await machine.heard(
      `attackalert: Connect from host: ${scannerAddress}/${scannerAddress} to TCP port: 15`,
    );
    await machine.heard("attackalert: Ignoring TCP response per configuration file setting.");
    assert.equal(machine.count("has been blocked"), 0);
    assert.equal(await machine.sh("iptables -S INPUT"), "-P INPUT ACCEPT\n");
    assert.equal(await machine.read("/etc/hosts.deny"), "");
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT));
  });
});

Deno.test("seed 001 (Se protéger), C14: only an ignore file that the administrator named is missed, by the daemon and by check", async () => {
  await besieged(async ({ machine }) => {
    await recipe(machine);
    // What Debian's start script would have made is not there: portsnare needs no such script.
    assert.equal(await machine.read("/etc/portsentry/portsentry.ignore"), "");
    const first = await machine.start();
    assert.equal(machine.count("portsentry.ignore"), 0, machine.syslog().join("\n"));
    assert.doesNotMatch((await machine.portsnare("check")).stdout, /no such file/);
    assert.equal(await machine.stop(first), 0);
    await machine.setOptions(['IGNORE_FILE="/etc/portsentry/mine"']);
    await machine.start();
    await machine.heard("adminalert: /etc/portsentry/mine: there is no such file");
    assert.match(
      (await machine.portsnare("check")).stdout,
      /warning: \/etc\/portsentry\/mine: there is no such/,
    );
  });
});
