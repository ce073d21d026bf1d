/**
 * Debian's logrotate with the file that the package ships, on a history that is written all the time, with fail2ban
 * reading it. Needs the packages logrotate and fail2ban.
 */
import assert from "node:assert/strict";
import { type Host, Lab, until } from "../lab/lab.ts";
import { Machine } from "../lab/machine.ts";
import { RawSender } from "../lab/raw_sender.ts";

const SHIPPED = new URL("../../debian/portsnare.logrotate", import.meta.url);
const HISTORY = "/var/lib/portsentry/portsentry.history";
/** As many as the shipped file keeps. */
const ROTATIONS = 12;

const CONFIG = `
[detect]
scan_trigger = 0
[log]
burst = 1
`;

/** The stock jail, which only remembers whom it would have banned. */
const JAIL = `
[portsentry]
enabled = true
action =
`;

/** What the package does when it is installed. */
const INSTALL = `
install -m 0640 -g adm /dev/null ${HISTORY}
printf '[sshd]\\nenabled = false\\n' > /etc/fail2ban/jail.d/zz-lab.conf
chmod 0644 /etc/logrotate.d/portsnare
`;

Deno.test("logrotate, twelve times during a scan: no line is lost or doubled, modes are right, fail2ban reads on", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using machine = await Machine.create(target);
  await machine.write("/etc/logrotate.d/portsnare", await Deno.readTextFile(SHIPPED));
  await machine.write("/etc/portsnare/config.toml", CONFIG);
  await machine.write("/etc/fail2ban/jail.d/portsentry.conf", JAIL);
  await machine.sh(INSTALL);
  machine.spawn(["fail2ban-server", "-x", "-f", "start"]);
  await until("the jail is running", async () => {
    const { code } = await machine.run("fail2ban-client status portsentry");
    return code === 0;
  }, 30);
  const daemon = await machine.start("run", "-c", "/etc/portsnare/config.toml");
  const scan = new Scan(scanner, target);
  await scan.more();
  await until("scanners are in the history", async () => (await machine.history()) !== "");

  for (let round = 0; round < ROTATIONS; round++) {
    let isDone = false;
    const rotating = machine.sh(
      "logrotate --force --state /var/lib/logrotate.state /etc/logrotate.d/portsnare",
    )
      .finally(() => isDone = true);
    while (!isDone) await scan.more();
    await rotating;
    // An empty history is not rotated, as the shipped file says.
    await until("the new history is written to", async () => {
      await scan.more();
      return (await machine.history()) !== "";
    });
  }
  const last = await scan.more();
  await until("the last one is in the history", async () => (await machine.history()).includes(`/${last} `));

  const files = (await machine.sh(`cd ${HISTORY.replace(/\/[^/]*$/, "")}; stat -c '%n %a %U:%G' *`)).trim()
    .split("\n");
  const names = files.map((line) => line.split(" ")[0]).toSorted();
  const older = Array.from({ length: ROTATIONS - 1 }, (_, i) => `portsentry.history.${i + 2}.gz`);
  assert.deepEqual(names, ["portsentry.history", "portsentry.history.1", ...older].toSorted());
  for (const line of files) assert.match(line, / 640 root:adm$/);

  const lines = (await machine.sh(`zcat -f ${HISTORY}*`)).trimEnd().split("\n");
  const sources = lines.map((line) => / Host: \S+\/(\S+) Port: 500 TCP Blocked$/.exec(line)?.[1] ?? line);
  assert.deepEqual(sources.toSorted(), scan.sources.toSorted());
  await until("fail2ban has read the last line", async () => (await jailed(machine)).includes(last), 30);
  console.log(
    `${lines.length} lines over ${ROTATIONS} rotations; fail2ban saw ${(await jailed(machine)).length}`,
  );
  assert.equal(await machine.stop(daemon), 0);
});

/** Scanners, one packet each, all in other names. */
class Scan {
  /** Who has scanned so far. */
  readonly sources: string[] = [];
  readonly #scanner: Host;
  readonly #target: Host;

  constructor(scanner: Host, target: Host) {
    this.#scanner = scanner;
    this.#target = target;
  }

  /** A few more scanners. @returns The last. */
  async more(): Promise<string> {
    const first = this.sources.length + 1;
    const sources = Array.from({ length: 10 }, (_, i) => `100.64.${(first + i) >> 8}.${(first + i) & 255}`);
    this.sources.push(...sources);
    this.#scanner.inside(() => {
      using sender = new RawSender();
      for (const source of sources) {
        sender.send({ source, dest: this.#target.ipv4, protocol: 6, destPort: 500 });
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 1));
    return sources.at(-1) ?? "";
  }
}

async function jailed(machine: Machine): Promise<readonly string[]> {
  const text = await machine.sh("fail2ban-client status portsentry");
  return (/Banned IP list:\s*(.*)/.exec(text)?.[1] ?? "").split(/\s+/).filter((word) => word !== "");
}
