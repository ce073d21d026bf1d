/**
 * Debian's fail2ban with its stock `[portsentry]` jail, as the guides for Debian 11 switch it on, reading the
 * history of a portsnare that only observes. Needs the package fail2ban.
 */
import assert from "node:assert/strict";
import { besieged, PUBLIC_ADDRESS, scan, scanUdp, SERVICE_PORT } from "../lab/besieged.ts";
import { reaches } from "../lab/clients.ts";
import { until } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { NameServer } from "../lab/name_server.ts";

/** The guide's lines. The other jail that Debian enables has no log to read in the lab. */
const SEED = `
> /var/lib/portsentry/portsentry.history
cat << EOF > /etc/fail2ban/jail.d/portsentry.conf
[portsentry]
enabled = true
EOF
printf '[sshd]\\nenabled = false\\n' > /etc/fail2ban/jail.d/zz-lab.conf
`;

async function startFail2ban(machine: Machine): Promise<void> {
  machine.spawn(["fail2ban-server", "-x", "-f", "start"]);
  await until("the jail is running", async () => {
    const { code } = await machine.run("fail2ban-client status portsentry");
    return code === 0;
  }, 30);
}

async function banned(machine: Machine): Promise<readonly string[]> {
  const text = await machine.sh("fail2ban-client status portsentry");
  return (/Banned IP list:\s*(.*)/.exec(text)?.[1] ?? "").split(/\s+/).filter((word) => word !== "");
}

async function bannedBy(machine: Machine, address: string): Promise<void> {
  await until(`fail2ban bans ${address}`, async () => (await banned(machine)).includes(address), 20);
}

/** A short ban may come and go between two looks. */
async function bannedTimes(machine: Machine, times: number): Promise<void> {
  await until(
    `fail2ban bans for the ${times}. time`,
    async () => (await machine.sh("fail2ban-client status portsentry")).includes(`Total banned:\t${times}\n`),
    20,
  );
}

/** Only what differs from the stock files: nothing is blocked by portsnare itself. */
async function observe(machine: Machine): Promise<void> {
  await machine.write("/etc/default/portsentry", 'TCP_MODE="atcp"\nUDP_MODE="audp"\n');
}

Deno.test("seeds 000 and 003 (Debian11), C8 C9 C24: the stock jail starts on the empty history and bans who scans, IPv4 and IPv6", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await observe(machine);
    await machine.sh(SEED);
    await startFail2ban(machine);
    await machine.start();
    assert.deepEqual(await banned(machine), []);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");

    await scan(scanner, "21");
    await bannedBy(machine, scannerAddress);
    await until(
      "it is in iptables",
      async () => (await machine.sh("iptables -S")).includes(`-A f2b-portsentry -s ${scannerAddress}/32`),
    );
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);

    const { ipv6 } = machine.host;
    assert.ok(await reaches(scanner, ipv6, SERVICE_PORT), "its other address is not banned yet");
    await scanner.out(["nmap", "-6", "-n", "-Pn", "-sS", "-p", "21", ipv6]);
    await bannedBy(machine, scanner.ipv6);
    await until(
      "it is in ip6tables",
      async () => (await machine.sh("ip6tables -S")).includes(`-A f2b-portsentry -s ${scanner.ipv6}/128`),
    );
    assert.equal(await reaches(scanner, ipv6, SERVICE_PORT), false);
  });
});

Deno.test("C24 F20: the stock jail bans the address, whatever name its owner gave it, and for UDP as well", async () => {
  await besieged(async ({ lab, machine, scanner, scannerAddress }) => {
    const names = await lab.host();
    const forged = "x/192.0.2.1 Port: 1 TCP Blocked\n1795207546 - 11/20/2026 Host: y";
    await NameServer.start(names, { [scannerAddress]: [forged, "192", "0", "2", "2"] });
    await machine.write("/etc/resolv.conf", `nameserver ${names.ipv4}\n`);
    await observe(machine);
    await machine.setOptions(['RESOLVE_HOST = "1"', 'BLOCK_UDP="1"', 'KILL_ROUTE="true $TARGET$"']);
    await machine.sh(SEED);
    await startFail2ban(machine);
    await machine.start();
    await scanUdp(scanner, "69");
    await bannedBy(machine, scannerAddress);
    assert.deepEqual(await banned(machine), [scannerAddress]);
    assert.match(
      await machine.history(),
      /^\d+ - \S+ \S+ Host: x[^ /]+\/203\.0\.113\.9 Port: 69 UDP Blocked\n$/,
    );
  });
});

Deno.test("F8 C24: who scans again after fail2ban's ban ran out is banned again", async () => {
  await besieged(async ({ machine, scanner }) => {
    await machine.sh(SEED);
    await startFail2ban(machine);
    // The jail's ten minutes, and the window of ten minutes in which portsnare does not repeat itself, cut short; but not
    // to less than fail2ban may take to read a line: it makes no ban that would be over already.
    await machine.sh("fail2ban-client set portsentry bantime 8");
    await machine.write("/etc/portsnare/config.toml", '[detect]\nwindow = "10s"\nscan_trigger = 0\n');
    await machine.start("run", "-c", "/etc/portsnare/config.toml");
    await scan(scanner, "21");
    await bannedTimes(machine, 1);
    await until("the ban ran out", async () => (await banned(machine)).length === 0, 30);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after the ban");
    await until("a scan is an offence again", async () => {
      await scan(scanner, "22");
      return (await machine.history()).split("\n").length === 3;
    }, 30);
    await bannedTimes(machine, 2);
  });
});

Deno.test("F10: fail2ban never bans who is on the ignore list, nor whom portsnare protects", async () => {
  await besieged(async ({ machine, friend, lab, scanner, scannerAddress }) => {
    await observe(machine);
    await machine.sh(SEED);
    await machine.sh("echo 10.77.0.2 >> /etc/portsentry/portsentry.ignore.static");
    const gateway = await lab.host();
    await machine.sh(`ip route add default via ${gateway.ipv4}`);
    // fail2ban asks for names; nobody out there would answer it.
    await machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n");
    await startFail2ban(machine);
    await machine.start();
    await scan(friend, "20-30", "10.77.0.1");
    await scanner.run([
      "hping3",
      "-q",
      "-a",
      gateway.ipv4,
      "-S",
      "-c",
      "5",
      "-i",
      "u1000",
      "-p",
      "++20",
      "10.77.0.1",
    ]);
    await machine.heard(`from host: ${gateway.ipv4}`);
    await scan(scanner, "21");
    await bannedBy(machine, scannerAddress);
    assert.deepEqual(await banned(machine), [scannerAddress]);
    assert.equal((await machine.history()).trim().split("\n").length, 1);
  });
});

Deno.test("C8: without a history file the whole of fail2ban does not start, so there is one before the first scan", async () => {
  await besieged(async ({ machine }) => {
    await observe(machine);
    await machine.sh(SEED);
    await machine.sh("rm /var/lib/portsentry/portsentry.history");
    assert.notEqual((await machine.run("fail2ban-client -t")).code, 0, "control: fail2ban minds");
    await machine.start();
    assert.equal((await machine.run("fail2ban-client -t")).code, 0);
    await startFail2ban(machine);
  });
});
