/**
 * A host of the lab with files of its own: `/etc`, `/run`, `/var/lib`, `/var/log` and `/dev/log` are private to it, so
 * that what guides say to do as root can be done to the letter without touching the machine that runs the tests.
 * @module
 */
import { Daemon } from "./daemon.ts";
import { DEADLINE_SECONDS, type Host, type Result, run, until } from "./lab.ts";
import { UnixReceiver } from "./unix_receiver.ts";

/** How a command is run in a machine. */
export interface CommandOptions {
  /** Text for its standard input. */
  readonly stdin?: string;
  /** It must end within so many seconds (default: 60). */
  readonly seconds?: number;
}

const FIXTURES = new URL("../fixtures/portsentry/", import.meta.url).pathname;

/** Holds the mounts, and ends with its standard input, so that nothing is left when this process dies. */
const SETUP = `
set -eu
cd "$1"
mkdir etc dev
cp -a /etc/. etc/
mount --bind etc /etc
mount -t tmpfs tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
ln -s /proc/self/fd dev/fd
ln -s "$1/log" dev/log
mount --rbind dev /dev
for directory in /run /var/lib /var/log; do mount -t tmpfs tmpfs $directory; done
mkdir -p /run/lock /run/fail2ban /run/portsnare /var/lib/fail2ban /var/lib/portsentry /var/lib/portsnare
rm -f /etc/hosts.allow /etc/hosts.deny
touch /etc/hosts.allow /etc/hosts.deny "$1/ready"
exec cat
`;

/** A host with files of its own. */
export class Machine implements AsyncDisposable {
  /** The host that it is. */
  readonly host: Host;
  /** A directory that both the machine and the test see. */
  readonly directory: string;
  readonly #holder: Deno.ChildProcess;
  #receiver: UnixReceiver | undefined;
  readonly #syslog: string[] = [];
  readonly #daemons: Deno.ChildProcess[] = [];

  private constructor(host: Host, directory: string) {
    this.host = host;
    this.directory = directory;
    this.startSyslog();
    this.#holder = new Deno.Command("ip", {
      args: ["netns", "exec", host.namespace, "unshare", "--mount", "--propagation", "private"]
        .concat(["sh", "-c", SETUP, "sh", directory]),
      stdin: "piped",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  }

  /** A machine as Debian leaves it: with hosts.allow and hosts.deny, and nothing of PortSentry. */
  static async create(host: Host): Promise<Machine> {
    const machine = new Machine(host, await Deno.makeTempDir({ prefix: "portsnare-machine-" }));
    await until("the machine has its mounts", () => exists(`${machine.directory}/ready`));
    return machine;
  }

  /** A machine with the files of portsentry 1.2-14 as Debian installs them. */
  static async withPortsentry(host: Host): Promise<Machine> {
    const machine = await Machine.create(host);
    for (
      const [fixture, path] of [
        ["portsentry-1.2-14.conf", "/etc/portsentry/portsentry.conf"],
        ["portsentry.ignore.static", "/etc/portsentry/portsentry.ignore.static"],
        ["default", "/etc/default/portsentry"],
      ] as const
    ) await machine.write(path, await Deno.readTextFile(`${FIXTURES}${fixture}`));
    // The package makes it when it is installed.
    await machine.write("/var/lib/portsentry/portsentry.history", "");
    return machine;
  }

  /** Run shell lines to their end. */
  async run(script: string, options: CommandOptions = {}): Promise<Result> {
    return await run([...this.#entrance(), "bash", "-c", script], options);
  }

  /** Run shell lines that must succeed, and give what they print. */
  async sh(script: string, options: CommandOptions = {}): Promise<string> {
    const result = await this.run(script, options);
    if (result.code !== 0) {
      throw new Error(`${script}: exit ${result.code}\n${result.stderr}${result.stdout}`);
    }
    return result.stdout;
  }

  /** Start a program in the background; it ends with the machine at the latest. What it prints goes to {@link printed}. */
  spawn(argv: readonly string[]): Deno.ChildProcess {
    const [program = "", ...args] = [
      ...this.#entrance(),
      "sh",
      "-c",
      PRINT,
      "sh",
      `${this.directory}/printed`,
    ];
    const child = new Deno.Command(program, { args: [...args, ...argv], stdin: "null", stdout: "null" })
      .spawn();
    this.#daemons.push(child);
    return child;
  }

  /** What programs in the background printed. */
  async printed(): Promise<string> {
    return await Deno.readTextFile(`${this.directory}/printed`).catch(() => "");
  }

  /** The text of a file of the machine; empty when there is none. */
  async read(path: string): Promise<string> {
    try {
      return await Deno.readTextFile(this.#path(path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  /** Write a file of the machine, and the directory that it is in. */
  async write(path: string, text: string): Promise<void> {
    await Deno.mkdir(this.#path(path.replace(/\/[^/]*$/, "")), { recursive: true });
    await Deno.writeTextFile(this.#path(path), text);
  }

  /** Put these lines of portsentry.conf in place of those that set the same options. */
  async setOptions(lines: readonly string[]): Promise<void> {
    const path = "/etc/portsentry/portsentry.conf";
    const names = lines.map((line) => line.split(/[ =]/, 1)[0]).join("|");
    const others = (await this.read(path)).replaceAll(new RegExp(`^(?:${names})[ =]`, "gm"), "#$&");
    await this.write(path, `${others}${lines.join("\n")}\n`);
  }

  /** What libwrap says of a client of sshd, by this machine's hosts.allow and hosts.deny. */
  async tcpd(client: string): Promise<"granted" | "denied"> {
    const said = await this.sh(`touch /etc/inetd.conf; tcpdmatch -i /etc/inetd.conf sshd ${client} 2>&1`);
    const answer = /access:\s+(granted|denied)/.exec(said)?.[1];
    if (answer === "granted" || answer === "denied") return answer;
    throw new Error(`tcpdmatch (Debian package tcpd) said: ${said}`);
  }

  /** PortSentry's history. */
  async history(): Promise<string> {
    return await this.read("/var/lib/portsentry/portsentry.history");
  }

  /** Let somebody listen at `/dev/log`, as from the beginning. Nothing is read before {@link syslog} asks for it. */
  startSyslog(): void {
    this.#receiver ??= new UnixReceiver(`${this.directory}/log`);
  }

  /** Let the listener at `/dev/log` die. */
  stopSyslog(): void {
    this.syslog();
    this.#receiver?.[Symbol.dispose]();
    this.#receiver = undefined;
  }

  /** What arrived at `/dev/log` so far, one datagram each. */
  syslog(): readonly string[] {
    for (const line of this.#receiver?.received() ?? []) this.#syslog.push(line);
    return this.#syslog;
  }

  /** Wait for a text in the log. */
  async heard(text: string | RegExp, seconds = DEADLINE_SECONDS): Promise<string> {
    const fits = (line: string): boolean => typeof text === "string" ? line.includes(text) : text.test(line);
    try {
      return await until("it is in the log", () => this.syslog().find(fits), seconds);
    } catch {
      throw new Error(`Not in the log: ${text}\n${this.syslog().slice(-30).join("\n")}`);
    }
  }

  /** How many lines of the log hold a text. */
  count(text: string): number {
    return this.syslog().filter((line) => line.includes(text)).length;
  }

  /** Run a verb of portsnare with PortSentry's configuration. */
  async portsnare(...args: readonly string[]): Promise<Result> {
    return await run([...this.#entrance(), "env", ...ENVIRONMENT, ...Daemon.program(), ...args]);
  }

  /** Start portsnare with PortSentry's files in place of its own, and wait until it listens. */
  async start(...args: readonly string[]): Promise<Deno.ChildProcess> {
    const before = this.count(ARMED);
    const child = this.spawn([
      "env",
      ...ENVIRONMENT,
      ...Daemon.program(),
      ...(args.length === 0 ? ["run"] : args),
    ]);
    let ended = false;
    void child.status.then(() => ended = true);
    await until("the daemon listens", async () => {
      if (ended) {
        throw new Error(`The daemon left: ${await this.printed()}${this.syslog().slice(-20).join("\n")}`);
      }
      return this.count(ARMED) > before;
    }, 30);
    return child;
  }

  /** End a daemon as an init script does, and wait until it is gone. */
  async stop(child: Deno.ChildProcess): Promise<number> {
    child.kill("SIGTERM");
    return (await child.status).code;
  }

  /** End everything that was started, and remove every file. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#daemons) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It had ended already.
      }
      await child.status;
    }
    await this.#holder.stdin.close();
    await this.#holder.status;
    this.stopSyslog();
    await Deno.remove(this.directory, { recursive: true });
  }

  #entrance(): readonly string[] {
    return ["nsenter", "--target", String(this.#holder.pid), "--mount", "--net"];
  }

  #path(path: string): string {
    return `/proc/${this.#holder.pid}/root${path}`;
  }
}

/** Writes what a program prints behind what is in a file already. */
const PRINT = 'out=$1; shift; exec "$@" >>"$out" 2>&1';

const ARMED = "is now active and listening";

/** What `/etc/default/portsnare` says when portsnare is to work with PortSentry's files. */
const ENVIRONMENT = ["PORTSNARE_CONFIG=/etc/portsentry/portsentry.conf", "NO_COLOR=1"];

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
