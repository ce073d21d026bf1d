/**
 * A lab of network namespaces: every host a namespace of its own, joined by one Ethernet segment, gone afterwards.
 *
 * Needs root and iproute2. Names carry the process id, so that labs of several processes never meet.
 * @module
 */
import { libc } from "./libc.ts";

/** What a finished command gave. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One host of the lab. */
export class Host {
  /** The namespace's name, as `ip netns` knows it. */
  readonly namespace: string;
  /** The host's IPv4 address. */
  readonly ipv4: string;
  /** The host's IPv6 address. */
  readonly ipv6: string;
  /** The interface inside the namespace. */
  readonly interface = "eth0";
  readonly #children: Deno.ChildProcess[] = [];

  /** Made by {@link Lab.host}. */
  constructor(namespace: string, ipv4: string, ipv6: string) {
    this.namespace = namespace;
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  /** Run a command to its end in this host. Fails when it takes longer than `seconds`. */
  async run(
    argv: readonly string[],
    options: { readonly seconds?: number; readonly stdin?: string } = {},
  ): Promise<Result> {
    return await run(["ip", "netns", "exec", this.namespace, ...argv], options);
  }

  /** Run a command that must succeed, and give its standard output. */
  async out(
    argv: readonly string[],
    options: { readonly seconds?: number; readonly stdin?: string } = {},
  ): Promise<string> {
    const result = await this.run(argv, options);
    if (result.code !== 0) {
      throw new Error(`${argv.join(" ")}: exit ${result.code}\n${result.stderr}${result.stdout}`);
    }
    return result.stdout;
  }

  /** Start a command in the background; it is ended with the lab at the latest. */
  spawn(argv: readonly string[], options: Partial<Deno.CommandOptions> = {}): Deno.ChildProcess {
    const child = new Deno.Command("ip", {
      args: ["netns", "exec", this.namespace, ...argv],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...options,
    }).spawn();
    this.#children.push(child);
    return child;
  }

  /** Run synchronous code of this process inside the host's network; sockets made there stay there. */
  inside<T>(body: () => T): T {
    const there = openNamespace(`/run/netns/${this.namespace}`);
    try {
      enter(there);
      return body();
    } finally {
      enter(HOME);
      libc.close(there);
    }
  }

  /** Be in this host until the result is disposed: whatever this process opens or starts is made there. */
  enter(): Disposable {
    const there = openNamespace(`/run/netns/${this.namespace}`);
    enter(there);
    return {
      [Symbol.dispose]: () => {
        enter(HOME);
        libc.close(there);
      },
    };
  }

  /** End what {@link spawn} started. */
  async stop(): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It had ended already.
      }
    }
    for (const child of this.#children.splice(0)) {
      await cancel(child);
      await child.status;
    }
  }
}

/** Hosts on one Ethernet segment, 10.77.N.0/24 and fd77:N::/64. */
export class Lab implements AsyncDisposable {
  static #count = 0;
  readonly #id: string;
  readonly #bridge: string;
  readonly #hosts: Host[] = [];

  private constructor(id: string) {
    this.#id = id;
    this.#bridge = `${id}-sw`;
  }

  /** A lab with no hosts yet. */
  static async create(): Promise<Lab> {
    const lab = new Lab(`psn${Deno.pid}-${Lab.#count++}`);
    await must(["ip", "netns", "add", lab.#bridge]);
    await must(["ip", "-n", lab.#bridge, "link", "set", "lo", "up"]);
    await must(["ip", "-n", lab.#bridge, "link", "add", "br0", "type", "bridge"]);
    await must(["ip", "-n", lab.#bridge, "link", "set", "br0", "up"]);
    return lab;
  }

  /** Add a host: `10.77.0.N` and `fd77::N` with N from 1, plus whatever else the test adds itself. */
  async host(): Promise<Host> {
    const number = this.#hosts.length + 1;
    const host = new Host(`${this.#id}-h${number}`, `10.77.0.${number}`, `fd77::${number}`);
    this.#hosts.push(host);
    const ns = host.namespace;
    await must(["ip", "netns", "add", ns]);
    await must(["ip", "-n", ns, "link", "set", "lo", "up"]);
    // Made from the switch, which has no interface of this name: Linux 5.10 minds one in the namespace it is made from.
    await must([
      "ip",
      "-n",
      this.#bridge,
      "link",
      "add",
      host.interface,
      "netns",
      ns,
      "type",
      "veth",
      "peer",
      "name",
      `p${number}`,
      "netns",
      this.#bridge,
    ]);
    await must(["ip", "-n", this.#bridge, "link", "set", `p${number}`, "master", "br0", "up"]);
    await must(["ip", "-n", ns, "link", "set", host.interface, "up"]);
    await must(["ip", "-n", ns, "address", "add", `${host.ipv4}/24`, "dev", host.interface]);
    await must(["ip", "-n", ns, "address", "add", `${host.ipv6}/64`, "dev", host.interface, "nodad"]);
    return host;
  }

  /** End every process and remove every namespace of the lab. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) {
      await host.stop();
      const left = await run(["ip", "netns", "pids", host.namespace]);
      for (const pid of left.stdout.split("\n").filter((line) => line !== "")) {
        await run(["kill", "-9", pid]);
      }
      await run(["ip", "netns", "delete", host.namespace]);
    }
    await run(["ip", "netns", "delete", this.#bridge]);
  }
}

/** Run a command to its end. */
export async function run(
  argv: readonly string[],
  options: { readonly seconds?: number; readonly stdin?: string } = {},
): Promise<Result> {
  const [program, ...args] = argv;
  const child = new Deno.Command(program ?? "", {
    args,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout((options.seconds ?? 60) * PATIENCE * 1000),
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/**
 * Wait until `condition` gives something other than `undefined` or `false`.
 *
 * @throws When `seconds` have passed without that; `what` says what was waited for.
 */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  seconds = DEADLINE_SECONDS,
): Promise<T> {
  const deadline = performance.now() + seconds * PATIENCE * 1000;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`Not within ${seconds * PATIENCE} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function must(argv: readonly string[]): Promise<void> {
  const result = await run(argv);
  if (result.code !== 0) throw new Error(`${argv.join(" ")}: exit ${result.code}: ${result.stderr.trim()}`);
}

async function cancel(child: Deno.ChildProcess): Promise<void> {
  for (const stream of [() => child.stdout, () => child.stderr]) {
    try {
      await stream().cancel();
    } catch {
      // Not piped, or already being read.
    }
  }
}

/** How long is waited, unless told otherwise, for what comes about within a second on an idle machine. */
export const DEADLINE_SECONDS = 20;

/** How many times longer everything may take; an emulated processor is slow (scripts/kernel_5_10.sh). */
const PATIENCE = Number(Deno.env.get("PORTSNARE_PATIENCE") ?? "1");

/** The namespace that this process was started in; kept open for its whole life, to come back to. */
const HOME = openNamespace("/proc/self/ns/net");

function openNamespace(path: string): number {
  const O_CLOEXEC = 0o2000000;
  const fd = libc.open(new TextEncoder().encode(`${path}\0`), O_CLOEXEC);
  if (fd < 0) throw new Error(`Cannot open ${path}`);
  return fd;
}

/** Moves the main thread only; every synchronous call of ours runs there. */
function enter(namespace: number): void {
  const CLONE_NEWNET = 0x40000000;
  if (libc.setns(namespace, CLONE_NEWNET) < 0) throw new Error("setns failed; is this root?");
}
