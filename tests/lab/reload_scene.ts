/**
 * One daemon whose configuration is written and read anew over and over, and what a test can see of each key.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { ask, type Question } from "../../src/control/client.ts";
import type { ChangeView, ReloadView, StatusView } from "../../src/control/views.ts";
import { configText, Daemon, type LogLine } from "./daemon.ts";
import { type Host, Lab, until } from "./lab.ts";
import { NameServer } from "./name_server.ts";
import { RawSender } from "./raw_sender.ts";

/** Sections and keys of a configuration. */
export type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Numbers of IP protocols. */
const NUMBER = { icmp: 1, tcp: 6, udp: 17, sctp: 132 } as const;

/** What every configuration of the scene says unless told otherwise: one packet to TCP 21 or UDP 99 is a scan. */
const BASE: Sections = {
  tcp: { mode: "stealth", ports: [21], response: "observe" },
  udp: { mode: "stealth", ports: [99], response: "observe" },
  detect: { scan_trigger: 0 },
  block: { quarantine: "0s", duration: "1h" },
};

/** A daemon, whoever knocks at it, and the answers. */
export class ReloadScene implements AsyncDisposable {
  readonly target: Host;
  readonly stranger: Host;
  readonly daemon: Daemon;
  readonly #lab: Lab;
  #sources = 0;

  private constructor(lab: Lab, hosts: { readonly target: Host; readonly stranger: Host }, daemon: Daemon) {
    this.#lab = lab;
    this.target = hosts.target;
    this.stranger = hosts.stranger;
    this.daemon = daemon;
  }

  /** The daemon asks a name server that knows the names of `names`: address → labels. */
  static async open(names: Readonly<Record<string, readonly string[]>>): Promise<ReloadScene> {
    const lab = await Lab.create();
    const hosts = { target: await lab.host(), stranger: await lab.host() };
    const server = await lab.host();
    await NameServer.start(server, names);
    const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
    await Deno.writeTextFile(`${directory}/resolv.conf`, `nameserver ${server.ipv4}\n`);
    // What runs in a namespace has mounts of its own already.
    const within = [
      "sh",
      "-c",
      'mount --bind "$0" /etc/resolv.conf && exec "$@"',
      `${directory}/resolv.conf`,
    ];
    return new ReloadScene(
      lab,
      hosts,
      await Daemon.start(hosts.target, { config: BASE, directory, within }),
    );
  }

  /** A file of the scene. */
  path(name: string): string {
    return `${this.daemon.directory}/${name}`;
  }

  /** Its text; empty when there is none. */
  read(name: string): string {
    try {
      return Deno.readTextFileSync(this.path(name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  /** Read the configuration with these keys in it, with no ban in force. @returns The keys that wait for a restart. */
  async reload(sections: Sections): Promise<readonly string[]> {
    const all = [...new Set([...Object.keys(BASE), ...Object.keys(sections)])]
      .map((name) => [name, { ...BASE[name], ...sections[name] }] as const);
    await this.ask({ verb: "unblock", target: "all" });
    await Deno.writeTextFile(
      this.path("config.toml"),
      configText(this.daemon.directory, Object.fromEntries(all)),
    );
    const [view] = await this.ask<ReloadView>({ verb: "reload" });
    return view?.needsRestart ?? [];
  }

  /** Ask the daemon, and give what it answers: the caller names the view that belongs to the verb. */
  async ask<T>(question: Question): Promise<readonly T[]> {
    const answers = await Array.fromAsync(ask(this.path("control.sock"), question));
    return answers.map((answer) => answer as T);
  }

  /** What `status` shows. */
  async status(): Promise<StatusView> {
    const [view] = await this.ask<StatusView>({ verb: "status" });
    if (view === undefined) throw new Error("There is no status");
    return view;
  }

  /** Lift the ban of an address. */
  async unblock(target: string): Promise<void> {
    await this.ask({ verb: "unblock", target });
  }

  /** An address that nothing came from yet. */
  source(): string {
    this.#sources++;
    return `100.64.${this.#sources >> 8}.${this.#sources & 255}`;
  }

  /** Send packets in the name of `source`. */
  send(protocol: keyof typeof NUMBER, ports: readonly number[], source = this.source()): string {
    this.stranger.inside(() => {
      using sender = new RawSender();
      for (const destPort of ports) {
        sender.send({
          source,
          dest: this.target.ipv4,
          protocol: NUMBER[protocol],
          type: protocol === "icmp" ? 8 : 1,
          destPort,
        });
      }
    });
    return source;
  }

  /** Whether a packet to this port is told. One to the other protocol's trap comes behind it, and shows when to stop. */
  async tells(protocol: keyof typeof NUMBER, port: number): Promise<boolean> {
    const source = this.send(protocol, [port]);
    const [other, otherPort] = protocol === "udp" ? ["tcp", 21] as const : ["udp", 99] as const;
    this.send(other, [otherPort], source);
    await this.daemon.line("the last one is told", (line) => isProbe(line, source, other));
    return this.daemon.log.some((line) => isProbe(line, source, protocol));
  }

  /** The ban that these packets lead to, if any. */
  async ban(
    protocol: "tcp" | "udp",
    ports: readonly number[],
    source?: string,
  ): Promise<LogLine | undefined> {
    const before = this.daemon.log.length;
    const sender = this.send(protocol, ports, source);
    return await this.soon(() =>
      this.daemon.log.slice(before).find((line) => line["type"] === "block" && line["source"] === sender)
    );
  }

  /** What `look` finds within a second or so. */
  async soon<T>(
    look: () => T | undefined | false | Promise<T | undefined | false>,
    seconds = 1.5,
  ): Promise<T | undefined> {
    try {
      return await until("something is found", look, seconds);
    } catch {
      return undefined;
    }
  }

  /** Ban an address by hand. @returns It, and the actions that failed. */
  async block(): Promise<{ readonly address: string; readonly failed: readonly string[] }> {
    const address = this.source();
    const [change] = await this.ask<ChangeView>({ verb: "block", target: address, force: false });
    const failed = (change?.outcomes ?? []).filter(({ ok }) => !ok).map(({ action }) => action);
    return { address, failed };
  }

  /** Wait until a packet to TCP 21 is in a history. @returns Whether it came there, and its source. */
  async inHistory(name = "history"): Promise<{ readonly source: string; readonly found: boolean }> {
    const source = this.send("tcp", [21]);
    const found = await this.soon(() => this.read(name).includes(`/${source} `));
    return { source, found: found === true };
  }

  /** Make every ban of the past older by this. */
  age(seconds: number): void {
    using database = new DatabaseSync(this.path("state.db"));
    database.exec("PRAGMA busy_timeout = 5000");
    database.exec(
      `UPDATE bans SET since = since - ${seconds}, ended = ended - ${seconds} WHERE ended IS NOT NULL`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.#lab[Symbol.asyncDispose]();
  }
}

function isProbe(line: LogLine, source: string, protocol: string): boolean {
  return line["type"] === "probe" && line["source"] === source && line["protocol"] === protocol;
}
