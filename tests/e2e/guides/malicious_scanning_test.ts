/**
 * The guide "Prevents malicious scanning and protects Linux servers with PortSentry": port lists, banner,
 * route, TCP wrappers, the six modes, and its proof: `nmap -sS`, then look into hosts.deny.
 */
import assert from "node:assert/strict";
import { besieged, PUBLIC_ADDRESS, scan, scanUdp, SERVICE_PORT } from "../../lab/besieged.ts";
import { reaches } from "../../lab/clients.ts";
import { type Host, until } from "../../lab/lab.ts";
import type { Machine } from "../../lab/machine.ts";

/** The guide's settings in PortSentry's spelling: its text lost blanks and letters on its way through the net. */
const SETTINGS = [
  'TCP_PORTS="111,119,143,540,635,1080"',
  'UDP_PORTS="161,162,513,635,640,641,700,37444,9,69,34555,31335,32770,32771,32772,32773,32774,31337,54321"',
  'BLOCK_TCP="1"',
  'BLOCK_UDP="1"',
  'KILL_HOSTS_DENY="ALL: $TARGET$ # Portsentry blocked"',
];
const BANNER =
  'PORT_BANNER="** UNAUTHORIZED ACCESS PROHIBITED *** YOUR CONNECTION ATTEMPT HAS BEEN LOGGED. GO AWAY."';

async function recipe(machine: Machine, more: readonly string[] = []): Promise<void> {
  await machine.setOptions([...SETTINGS, ...more]);
  await machine.sh("chmod 600 /etc/portsentry/portsentry.conf");
}

async function denied(machine: Machine): Promise<string> {
  return await until("hosts.deny has a line", async () => await machine.read("/etc/hosts.deny") || undefined);
}

async function connect(from: Host, port: number): Promise<string> {
  return (await from.run(["nc", "-n", "-w", "1", PUBLIC_ADDRESS, String(port)])).stdout;
}

/** What a mode of the command line catches, and what it lets pass. */
interface ModeCase {
  /** Goes by unseen. */
  readonly passed: (from: Host) => Promise<unknown>;
  /** Is caught. */
  readonly caught: (from: Host) => Promise<unknown>;
  /** How the log tells that; IP stands for the scanner's address. */
  readonly line: string;
}

const MODES: Readonly<Record<string, ModeCase>> = {
  tcp: {
    passed: async (from) => {
      await scan(from, "143");
      await connect(from, 144);
      await scanUdp(from, "161");
    },
    caught: (from) => connect(from, 143),
    line: "attackalert: Connect from host: IP/IP to TCP port: 143",
  },
  udp: {
    passed: async (from) => {
      await scanUdp(from, "160");
      await connect(from, 143);
    },
    caught: (from) => scanUdp(from, "161"),
    line: "attackalert: Connect from host: IP/IP to UDP port: 161",
  },
  stcp: {
    passed: async (from) => {
      await scan(from, "144");
      await scanUdp(from, "161");
    },
    caught: (from) => scan(from, "143"),
    line: "attackalert: TCP SYN/Normal scan from host: IP/IP to TCP port: 143",
  },
  sudp: {
    passed: async (from) => {
      await scanUdp(from, "160");
      await scan(from, "143");
    },
    caught: (from) => scanUdp(from, "161"),
    line: "attackalert: UDP scan from host: IP/IP to UDP port: 161",
  },
  atcp: {
    passed: async (from) => {
      await scan(from, "113,1024,1080");
      await scanUdp(from, "161");
    },
    caught: (from) => scan(from, "144"),
    line: "attackalert: TCP SYN/Normal scan from host: IP/IP to TCP port: 144",
  },
  audp: {
    passed: async (from) => {
      await scanUdp(from, "520,1024,31337");
      await scan(from, "143");
    },
    caught: (from) => scanUdp(from, "160"),
    line: "attackalert: UDP scan from host: IP/IP to UDP port: 160",
  },
};

for (const [mode, { passed, caught, line }] of Object.entries(MODES)) {
  Deno.test(`seed 004 (Malicious scanning), C6 C19: portsnare -${mode} watches what PortSentry did, and hosts.deny says so`, async () => {
    await besieged(async ({ machine, scanner, scannerAddress: ip }) => {
      await recipe(machine, [`KILL_RUN_CMD="echo $MODE$ >> ${machine.directory}/ran"`]);
      await machine.sh("sed -i 's/^KILL_ROUTE/#&/' /etc/portsentry/portsentry.conf");
      await machine.start(`-${mode}`);
      await passed(scanner);
      assert.equal(machine.count(ip), 0, machine.syslog().join("\n"));
      await caught(scanner);
      await machine.heard(line.replaceAll("IP", ip));
      assert.match(await denied(machine), new RegExp(`^ALL: ${ip} # Portsentry blocked$`, "m"));
      await machine.heard("External command run for host");
      assert.equal(await Deno.readTextFile(`${machine.directory}/ran`), `${mode}\n`);
    });
  });
}

Deno.test("seed 004 (Malicious scanning), C6: -atcp and -audp in one process add up, and libwrap obeys the line", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine, ['SCAN_TRIGGER="2"']);
    await machine.start("-atcp", "-audp");
    await scanUdp(scanner, "160");
    await scan(scanner, "144");
    await denied(machine);
    assert.equal(await machine.tcpd(scannerAddress), "denied");
    assert.equal(await machine.tcpd("203.0.113.90"), "granted");
  });
});

Deno.test("seed 004 (Malicious scanning): after nmap -sS of the whole host the word is in hosts.deny, once, behind the administrator's lines", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.write("/etc/hosts.deny", "# the administrator's own\nALL: 192.0.2.66\n");
    await machine.start("-atcp");
    await scanner.out(["nmap", "-n", "-sS", "-T4", "--max-retries", "0", PUBLIC_ADDRESS], { seconds: 120 });
    await machine.heard("has been blocked via wrappers");
    const text = await machine.read("/etc/hosts.deny");
    assert.equal(text.match(new RegExp(`^ALL: ${scannerAddress} # Portsentry blocked$`, "gm"))?.length, 1);
    assert.match(text, /^# the administrator's own\nALL: 192\.0\.2\.66\n/);
  });
});

Deno.test("seed 004 (Malicious scanning): the stock route rejects what would go to the scanner, and unblock takes it back", async () => {
  await besieged(async ({ machine, scanner, scannerAddress }) => {
    await recipe(machine);
    await machine.start("-atcp");
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "before the scan");
    await scan(scanner, "143");
    const command = `/sbin/route add -host ${scannerAddress} reject`;
    await machine.heard(`has been blocked via dropped route using command: "${command}"`);
    assert.match(await machine.sh("route -n"), /203\.0\.113\.9\s+-\s+255\.255\.255\.255\s+!H/);
    assert.equal(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), false);
    assert.equal((await machine.portsnare("unblock", scannerAddress)).code, 0);
    assert.ok(await reaches(scanner, PUBLIC_ADDRESS, SERVICE_PORT), "after unblock");
  });
});

Deno.test("seed 004 (Malicious scanning): the banner is shown to who connects", async () => {
  await besieged(async ({ machine, scanner }) => {
    await recipe(machine, [BANNER]);
    await machine.sh("sed -i 's/^KILL_ROUTE/#&/' /etc/portsentry/portsentry.conf");
    await machine.start("-tcp");
    assert.match(await connect(scanner, 143), /\*\* UNAUTHORIZED ACCESS PROHIBITED \*\*\*/);
  });
});

Deno.test("seed 004 (Malicious scanning): the addresses that the guide has in the ignore file, 0.0.0.0 among them, hide nobody else", async () => {
  await besieged(async ({ machine, scanner }) => {
    await recipe(machine);
    const addresses = ["127.0.0.1/32", "0.0.0.0", "192.168.1.103", "192.168.1.102", "127.0.0.1"];
    await machine.write("/etc/portsentry/portsentry.ignore", `${addresses.join("\n")}\n`);
    await machine.start("-stcp");
    await scan(scanner, "143");
    await machine.heard("has been blocked via wrappers");
  });
});
