/**
 * Records the captures of this folder again: `deno run -A tests/captures/record.ts [NAME…]`, as root.
 *
 * Each is made by real tools in namespaces, on a host with TCP services on 22, 80 and 443 and a UDP service on 53. Some
 * tools are nothing that the tests need: `apt install masscan zmap tftp-hpa tftpd-hpa vsftpd`.
 * @module
 */
import { reaches, serve } from "../lab/clients.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

interface Recording {
  /** What the scanner's or client's host does to the target. */
  readonly act: (client: Host, target: Host) => Promise<unknown>;
  /** More arguments of tcpdump. Default: Ethernet, 128 bytes a packet. */
  readonly tcpdump?: readonly string[];
}

const NMAP = ["nmap", "-n", "-Pn", "-T4", "--max-retries", "0"];

function nmap(...args: readonly string[]): Recording {
  return { act: (client, target) => client.run([...NMAP, ...args, target.ipv4], { seconds: 120 }) };
}

function shell(script: string): Recording["act"] {
  return (client, target) =>
    client.run(["sh", "-c", script.replaceAll("TARGET", target.ipv4)], { seconds: 120 });
}

/** Scanners that write Ethernet frames themselves want to be told where to. */
const TARGET_MAC = "ping -q -c 1 TARGET; MAC=$(ip neigh show TARGET | cut -d ' ' -f 5)";

/** A folder with a small file, for anybody to fetch. */
async function servedFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o555);
  await Deno.writeFile(`${folder}/file`, new Uint8Array(3000), { mode: 0o444 });
  return folder;
}

const RECORDINGS: Readonly<Record<string, Recording>> = {
  "nmap-syn": nmap("-sS", "-p", "1-100"),
  "nmap-connect": nmap("-sT", "-p", "20-60,80,443"),
  "nmap-fin": nmap("-sF", "-p", "1-60"),
  "nmap-null": nmap("-sN", "-p", "1-60"),
  "nmap-xmas": nmap("-sX", "-p", "1-60"),
  "nmap-maimon": nmap("-sM", "-p", "1-60"),
  "nmap-ack": nmap("-sA", "-p", "1-60"),
  "nmap-window": nmap("-sW", "-p", "1-60"),
  "nmap-udp": nmap("-sU", "-p", "50-60,111,123,161,500"),
  "nmap-sctp": nmap("-sY", "-p", "1-60"),
  "nmap-synurg": nmap("--scanflags", "SYNURG", "-p", "1-60"),
  "nmap-fragments": nmap("-sS", "-f", "-p", "1-60"),
  "nmap-decoys": nmap("-sS", "-D", "10.77.0.200,10.77.0.201,ME", "-p", "1-30"),
  "nmap-source-port": nmap("-sS", "-g", "53", "-p", "1-60"),
  "nmap-slow": nmap("-sS", "--scan-delay", "300ms", "-p", "1-8"),
  "nmap-ipv6": {
    act: (client, target) => client.run([...NMAP, "-6", "-sS", "-p", "1-60", target.ipv6], { seconds: 60 }),
  },
  "hping3-ip-options": { act: shell("hping3 -q -c 12 -i u5000 -S -p ++7 -G TARGET; true") },
  "nmap-os": nmap("-O", "--max-os-tries", "1", "-p", "20-40,80"),
  "masscan": {
    act: shell(`${TARGET_MAC}; masscan TARGET -p1-60 --rate 500 --wait 1 -i eth0 --router-mac $MAC`),
  },
  "zmap": {
    act: shell(
      `${TARGET_MAC}; for port in 23 79 111 513 514 515; do zmap -q -p $port -G $MAC -b /dev/null ` +
        "--cooldown-time=1 -i eth0 -o /dev/null TARGET; done",
    ),
  },
  "nping": { act: shell("nping --tcp --flags syn -p 1-20 --rate 200 -c 1 TARGET") },
  "nmap-syn-cooked": { ...nmap("-sS", "-p", "1-40"), tcpdump: ["-i", "any", "-y", "LINUX_SLL"] },
  "nmap-syn-cooked2-nanoseconds": {
    ...nmap("-sS", "-p", "1-40"),
    tcpdump: ["-i", "any", "-y", "LINUX_SLL2", "--time-stamp-precision=nano"],
  },
  "benign-http": {
    act: shell(
      "for i in 1 2 3 4 5 6 7 8; do curl -sS -o /dev/null http://TARGET/ http://TARGET:443/; done; " +
        "curl -sS -o /dev/null 'http://TARGET/?bytes=60000'; head -c 60000 /dev/zero | curl -sS -o /dev/null -T - http://TARGET/",
    ),
  },
  "benign-dns": {
    act: shell(
      "for i in 1 2 3 4 5 6 7 8 9; do echo query$i | nc -n -u -w 1 TARGET 53 > /dev/null; done; true",
    ),
  },
  "benign-tftp": {
    act: async (client, target) => {
      const folder = await servedFolder();
      target.spawn(["in.tftpd", "-L", "-a", `${target.ipv4}:69`, "-s", folder]);
      const script = "tftp TARGET -c get file /dev/null; tftp TARGET -c get nothing /dev/null; true";
      for (let i = 0; i < 3; i++) await shell(script)(client, target);
      await Deno.remove(folder, { recursive: true });
    },
  },
  "benign-ftp": {
    act: async (client, target) => {
      const folder = await servedFolder();
      const settings = `${folder}.conf`;
      const answers = "listen=YES\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n" +
        "connect_from_port_20=YES\nseccomp_sandbox=NO\n";
      await Deno.writeTextFile(settings, `${answers}anon_root=${folder}\n`);
      const server = target.spawn(["vsftpd", settings]);
      await until("FTP is served", () => reaches(client, target.ipv4, 21));
      await shell("for way in --ftp-pasv '-P -'; do curl -sS -o /dev/null $way ftp://TARGET/file; done")(
        client,
        target,
      );
      server.kill("SIGTERM");
      await Deno.remove(folder, { recursive: true });
      await Deno.remove(settings);
    },
  },
  "benign-mistake": {
    act: shell(
      "for i in 1 2 3 4 5 6 7 8 9; do nc -n -z -w 1 TARGET 81; done; curl -sS -o /dev/null http://TARGET/; true",
    ),
  },
};

const names = Deno.args.length > 0 ? Deno.args : Object.keys(RECORDINGS);
await using lab = await Lab.create();
const target = await lab.host();
await serve(target, 22, 80, 443, "udp:53");
for (const name of names) {
  const recording = RECORDINGS[name];
  if (recording === undefined) throw new Error(`No such recording: ${name}`);
  await record(name, recording);
}

async function record(name: string, recording: Recording): Promise<void> {
  const client = await lab.host();
  const path = new URL(`./${name}.pcap`, import.meta.url).pathname;
  await Deno.remove(path).catch(() => {});
  const tcpdump = target.spawn([
    "tcpdump",
    "-U",
    "--immediate-mode",
    "-Z",
    "root",
    "-s",
    "128",
    ...recording.tcpdump ?? ["-i", "eth0"],
    "-w",
    path,
    "ip or (ip6 and not icmp6)",
  ]);
  await until("tcpdump listens", async () => (await Deno.stat(path).catch(() => ({ size: 0 }))).size >= 24);
  await recording.act(client, target);
  await client.run(["ping", "-q", "-c", "1", "-i", "0.2", target.ipv4]);
  await until("the last packets are written", async () => {
    const before = (await Deno.stat(path)).size;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return (await Deno.stat(path)).size === before;
  });
  tcpdump.kill("SIGTERM");
  await tcpdump.status;
  console.log(`${name}.pcap ${(await Deno.stat(path)).size} bytes, client ${client.ipv4}`);
}
