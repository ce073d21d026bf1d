/**
 * The main job, to be watched: a real nmap scan caught and banned, between network namespaces of this machine.
 *
 * `make demo` runs it. Nothing outside the namespaces is touched, and they are gone afterwards.
 */
import { openPorts, reaches, serve } from "../tests/lab/clients.ts";
import { Daemon } from "../tests/lab/daemon.ts";
import { type Host, Lab } from "../tests/lab/lab.ts";

const SERVICES = [22, 80, 443, 3306, 8080];
const ports = SERVICES.join(",");
const scan = ["-sS", "-T4", "--max-retries", "0", "--min-rate", "500", "-p", `1-1024,${ports}`];

await using lab = await Lab.create();
const server = await lab.host();
const scanner = await lab.host();
const client = await lab.host();
await serve(server, ...SERVICES);

step(`Three hosts: the server ${server.ipv4}, a scanner ${scanner.ipv4}, an honest client ${client.ipv4}`);
say(`The server really serves ports ${ports}. What the scanner sees before portsnare is started:`);
say(`  open: ${await found(scanner)}`);

step('portsnare starts on the server, with response = "block" and otherwise its defaults');
await using daemon = await Daemon.start(server, {
  config: {
    tcp: { response: "block" },
    udp: { response: "block" },
    log: { format: "text", target: "stdout" },
  },
});
daemon.text.splice(0).forEach(sayIndented);

step(`The scanner runs: nmap ${scan.join(" ")} ${server.ipv4}`);
say(`  open: ${await found(scanner)}`);
say("What portsnare said:");
await daemon.heard((line) => line.includes("blocked"));
const said = daemon.text.splice(0);
said.slice(0, 12).forEach(sayIndented);
if (said.length > 12) sayIndented(`… and ${said.length - 12} lines more`);

step("The ban, and why");
(await daemon.cli("list")).stdout.trimEnd().split("\n").forEach(sayIndented);
(await daemon.cli("why", scanner.ipv4)).stdout.trimEnd().split("\n").forEach(sayIndented);

step("The scanner tries again");
say(`  open: ${await found(scanner)}`);

step("The honest client");
for (const port of SERVICES) {
  say(`  port ${port}: ${await reaches(client, server.ipv4, port) ? "answered" : "NOT ANSWERED"}`);
}
step("Everything is taken down again");
await daemon.stop();
await server.run([...Daemon.program(), "run", "--teardown", "-c", `${daemon.directory}/config.toml`]);

async function found(host: Host): Promise<string> {
  const open = await openPorts(host, [...scan, server.ipv4]);
  return open.length === 0 ? "nothing" : open.join(", ");
}

function step(title: string): void {
  console.log(`\n== ${title}`);
}

function say(line: string): void {
  console.log(line);
}

function sayIndented(line: string): void {
  console.log(`  ${line}`);
}
