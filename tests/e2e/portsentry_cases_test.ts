/**
 * The system test cases of PortSentry 2, by their numbers, against portsnare: the same configuration, the same probes, the same
 * effects, in the words of PortSentry 1.2's log. Cases for one of its capture methods run with both engines.
 */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Scene {
  readonly lab: Lab;
  readonly target: Host;
  readonly prober: Host;
  readonly daemon: Daemon;
  /** Where scripts of the case write. */
  readonly directory: string;
}

const BOTH: Sections = {
  tcp: { mode: "connect", ports: [1, 11], response: "block" },
  udp: { mode: "connect", ports: [1, 7, 9, 11], response: "block" },
  detect: { scan_trigger: 0 },
  actions: { firewall: "none", kill_route: "true $TARGET$" },
};

Deno.test("PortSentry 001: connect, TCP then UDP", () =>
  scene(BOTH, async (s) => {
    await tcp(s, 11);
    await heard(s, `attackalert: Connect from host: ${name(s)} to TCP port: 11`);
    await historyIs(s, [["TCP", 11]]);
    await tcp(s, 11);
    await heard(s, `attackalert: Host: ${s.prober.ipv4} is already blocked. Ignoring`);
    await udp(s, 11);
    await udp(s, 11);
    await until("both datagrams are told", () => count(s, "to UDP port: 11") === 2);
    assert.equal(count(s, "Connect from host"), 4);
    await historyIs(s, [["TCP", 11]]);
  }));

Deno.test("PortSentry 002: connect, UDP then TCP", () =>
  scene(BOTH, async (s) => {
    await udp(s, 11);
    await heard(s, `attackalert: Connect from host: ${name(s)} to UDP port: 11`);
    await historyIs(s, [["UDP", 11]]);
    await tcp(s, 11);
    await heard(s, `attackalert: Host: ${s.prober.ipv4} is already blocked. Ignoring`);
    await historyIs(s, [["UDP", 11]]);
  }));

Deno.test("PortSentry 003: banner, TCP", () =>
  scene(with_(BOTH, { actions: { port_banner: "Go away." } }), async (s) => {
    assert.match(await tcp(s, 11), /Go away\./);
    await historyIs(s, [["TCP", 11]]);
    await tcp(s, 11);
    await heard(s, "is already blocked. Ignoring");
  }));

Deno.test("PortSentry 004: banner, UDP", () =>
  scene(with_(BOTH, { actions: { port_banner: "Go away." } }), async (s) => {
    assert.match(await udp(s, 11, "a question of more than a few bytes"), /Go away\./);
    await historyIs(s, [["UDP", 11]]);
    await udp(s, 11);
    await heard(s, "is already blocked. Ignoring");
  }));

for (const [number, protocol] of [["005", "TCP"], ["006", "UDP"]] as const) {
  Deno.test(`PortSentry ${number}: observe only, ${protocol} (C9, C16)`, () =>
    scene(with_(BOTH, { tcp: { response: "observe" }, udp: { response: "observe" } }), async (s) => {
      const probe = protocol === "TCP" ? tcp : udp;
      await probe(s, 11);
      await historyIs(s, [[protocol, 11]]);
      await probe(s, 11);
      await until(
        "both are told",
        () => count(s, `Connect from host: ${name(s)} to ${protocol} port: 11`) === 2,
      );
      await heard(s, `attackalert: Ignoring ${protocol} response per configuration file setting.`);
      assert.equal(count(s, "has been blocked"), 0);
    }));
}

for (const [number, protocol] of [["007", "TCP"], ["008", "UDP"]] as const) {
  Deno.test(`PortSentry ${number}: command only, ${protocol} (C12)`, () =>
    scene((directory) =>
      with_(BOTH, {
        tcp: { response: "command" },
        udp: { response: "command" },
        actions: { kill_run_cmd: `echo $TARGET$ $PORT$ $MODE$ >> ${directory}/ran` },
      }), async (s) => {
      await (protocol === "TCP" ? tcp : udp)(s, 11);
      await heard(
        s,
        `attackalert: External command run for host: ${s.prober.ipv4} using command: "echo ${s.prober.ipv4} 11 `,
      );
      assert.equal(await wrote(s, "ran"), `${s.prober.ipv4} 11 ${protocol.toLowerCase()}\n`);
      assert.equal(count(s, "has been blocked"), 0);
    }));
}

Deno.test("PortSentry 009: scan trigger 2", () =>
  scene(with_(BOTH, { detect: { scan_trigger: 2, count: "probes" } }), async (s) => {
    await tcp(s, 11);
    await heard(s, `attackalert: Connect from host: ${name(s)} to TCP port: 11`);
    assert.equal(count(s, "has been blocked"), 0);
    await tcp(s, 11);
    await heard(s, "has been blocked via dropped route");
    await historyIs(s, [["TCP", 11]]);
    await tcp(s, 11);
    await heard(s, "is already blocked. Ignoring");
  }));

Deno.test("PortSentry 010: KILL_ROUTE (C11)", () =>
  scene(
    (directory) => with_(BOTH, { actions: { kill_route: `echo route $TARGET$ >> ${directory}/ran` } }),
    async (s) => {
      await tcp(s, 11);
      const command = `echo route ${s.prober.ipv4} >> ${s.directory}/ran`;
      await heard(
        s,
        `attackalert: Host ${s.prober.ipv4} has been blocked via dropped route using command: "${command}"`,
      );
      assert.equal(await wrote(s, "ran"), `route ${s.prober.ipv4}\n`);
      await historyIs(s, [["TCP", 11]]);
    },
  ));

for (const [number, first] of [["011", false], ["012", true]] as const) {
  Deno.test(`PortSentry ${number}: KILL_ROUTE and KILL_RUN_CMD, ${first ? "command first" : "route first"} (C12)`, () =>
    scene((directory) =>
      with_(BOTH, {
        actions: {
          kill_route: `echo route $TARGET$ >> ${directory}/ran`,
          kill_run_cmd: `echo command $TARGET$ >> ${directory}/ran`,
          kill_run_cmd_first: first,
        },
      }), async (s) => {
      await tcp(s, 11);
      await heard(s, "has been blocked via dropped route");
      await heard(s, "External command run for host");
      const order = first ? ["command", "route"] : ["route", "command"];
      assert.equal(await wrote(s, "ran"), order.map((word) => `${word} ${s.prober.ipv4}\n`).join(""));
    }));
}

Deno.test("PortSentry 013: KILL_ROUTE and KILL_HOSTS_DENY", () =>
  scene((directory) =>
    with_(BOTH, {
      actions: {
        kill_route: `echo route $TARGET$ >> ${directory}/ran`,
        kill_hosts_deny: "ALL: $TARGET$ : DENY",
      },
    }), async (s) => {
    await tcp(s, 11);
    await heard(
      s,
      `attackalert: Host ${s.prober.ipv4} has been blocked via wrappers with string: "ALL: ${s.prober.ipv4} : DENY"`,
    );
    await heard(s, "has been blocked via dropped route");
    assert.match(
      await Deno.readTextFile(`${s.daemon.directory}/hosts.deny`),
      new RegExp(`ALL: ${s.prober.ipv4} : DENY`),
    );
    assert.equal(await wrote(s, "ran"), `route ${s.prober.ipv4}\n`);
  }));

for (const engine of ["kernel", "raw"] as const) {
  const stealth: Sections = {
    tcp: { mode: "stealth", ports: [1, 11], response: "block" },
    udp: { mode: "stealth", ports: [1, 11], response: "block" },
    detect: { engine, scan_trigger: 0 },
    actions: { firewall: "none", kill_hosts_deny: "ALL: $TARGET$ : DENY" },
  };
  const numbers = engine === "kernel"
    ? { tcp: "014", udp: "015", ranges: "024", invalid: "025", v6: "029" }
    : {
      tcp: "100",
      udp: "015 (raw)",
      ranges: "101",
      invalid: "027",
      v6: "030",
    };

  Deno.test(`PortSentry ${numbers.tcp}: stealth TCP, engine ${engine} (C17)`, () =>
    scene(stealth, async (s) => {
      await nmap(s, "-sT", "11");
      await heard(s, `attackalert: TCP SYN/Normal scan from host: ${name(s)} to TCP port: 11`);
      await heard(s, "has been blocked via wrappers");
      await historyIs(s, [["TCP", 11]]);
      await nmap(s, "-sT", "11");
      await heard(s, `attackalert: Host: ${name(s)} is already blocked Ignoring`);
    }));

  Deno.test(`PortSentry ${numbers.udp}: stealth UDP, engine ${engine}`, () =>
    scene(stealth, async (s) => {
      await nmap(s, "-sU", "11");
      await heard(s, `attackalert: UDP scan from host: ${name(s)} to UDP port: 11`);
      await historyIs(s, [["UDP", 11]]);
      await nmap(s, "-sU", "11");
      await heard(s, `attackalert: Host: ${name(s)} is already blocked Ignoring`);
    }));

  Deno.test(`PortSentry 016: the host does not react to itself, engine ${engine}`, () =>
    scene(stealth, async (s) => {
      await s.target.run(["nmap", "-n", "-Pn", "-sT", "-p", "11", "127.0.0.1"]);
      await s.target.run(["nmap", "-n", "-Pn", "-sT", "-p", "11", s.target.ipv4]);
      await nmap(s, "-sS", "11");
      await heard(s, `from host: ${name(s)}`);
      assert.equal(count(s, "127.0.0.1"), 0);
      assert.equal(count(s, `from host: ${s.target.ipv4}`), 0);
    }));

  const types = {
    "018": ["-sS", "TCP SYN/Normal scan"],
    "019": ["-sN", " TCP NULL scan"],
    "020": ["-sX", "TCP XMAS scan"],
    "021": ["-sF", "TCP FIN scan"],
  } as const;
  for (const [number, [flag, text]] of Object.entries(types)) {
    Deno.test(`PortSentry ${number}: nmap ${flag}, engine ${engine} (C20)`, () =>
      scene(stealth, async (s) => {
        await nmap(s, flag, "11");
        await heard(s, `attackalert: ${text} from host: ${name(s)} to TCP port: 11`);
        await historyIs(s, [["TCP", 11]]);
      }));
  }

  Deno.test(`PortSentry ${numbers.ranges}: port ranges, engine ${engine}`, () =>
    scene(
      with_(stealth, {
        tcp: { ports: [1, "5-11"], response: "observe" },
        udp: { ports: [1, "7-11"], response: "observe" },
      }),
      async (s) => {
        await nmap(s, "-sS", "11");
        await nmap(s, "-sU", "11");
        await until("both protocols are told", () =>
          count(s, "TCP port: 11") === 1 && count(s, "UDP port: 11") === 1);
      },
    ));

  Deno.test(`PortSentry ${numbers.invalid}: a port that is not watched, engine ${engine} (C19)`, () =>
    scene(stealth, async (s) => {
      await nmap(s, "-sS", "10");
      await nmap(s, "-sS", "11");
      await heard(s, "to TCP port: 11");
      assert.equal(count(s, "port: 10"), 0);
    }));

  Deno.test(`PortSentry ${numbers.v6}: IPv6, engine ${engine} (F12)`, () =>
    scene(stealth, async (s) => {
      await nmap6(s, "11");
      await heard(
        s,
        `attackalert: TCP SYN/Normal scan from host: ${s.prober.ipv6}/${s.prober.ipv6} to TCP port: 11`,
      );
      await heard(s, `ALL: [${s.prober.ipv6}] : DENY`);
      assert.match(
        await s.daemon.history(),
        new RegExp(`Host: ${s.prober.ipv6}/${s.prober.ipv6} Port: 11 TCP Blocked\n$`),
      );
      await nmap6(s, "11");
      await heard(s, `attackalert: Host: ${s.prober.ipv6}/${s.prober.ipv6} is already blocked Ignoring`);
    }));

  const ignored = {
    "031": "10.77.0.2/32",
    "032": "10.77.0.2",
    "033": "fd77::2/128",
    "034": "fd77::2",
  } as const;
  for (const [number, entry] of Object.entries(ignored)) {
    Deno.test(`PortSentry ${number}: the ignore file with ${entry}, engine ${engine} (C14)`, () =>
      scene(async (directory) => {
        await Deno.writeTextFile(`${directory}/ignore`, `${entry}\n0.0.0.0\n`);
        return with_(stealth, { ignore: { files: [`${directory}/ignore`] } });
      }, async (s) => {
        const other = await s.lab.host();
        if (entry.includes(":")) await nmap6(s, "11");
        else await nmap(s, "-sS", "11");
        await other.run(["nmap", "-n", "-Pn", "-sS", "-p", "11", s.target.ipv4]);
        await heard(s, `from host: ${other.ipv4}/${other.ipv4}`);
        await heard(s, "has been blocked via");
        assert.equal(count(s, "has been blocked via"), 1);
        assert.doesNotMatch(await s.daemon.history(), new RegExp(`${entry.split("/")[0]} Port`));
      }));
  }
}

Deno.test("PortSentry 023: connect, port ranges", () =>
  scene(
    with_(BOTH, {
      tcp: { ports: [1, "5-11"], response: "observe" },
      udp: { ports: [1, "7-11"], response: "observe" },
    }),
    async (s) => {
      for (const probe of [tcp, tcp, udp, udp]) await probe(s, 11);
      await until(
        "all four are told",
        () => count(s, "TCP port: 11") === 2 && count(s, "UDP port: 11") === 2,
      );
    },
  ));

Deno.test("PortSentry 026: connect, a port that is not watched", () =>
  scene(BOTH, async (s) => {
    await tcp(s, 10);
    await tcp(s, 11);
    await heard(s, "to TCP port: 11");
    assert.equal(count(s, "port: 10"), 0);
  }));

Deno.test("PortSentry 028: connect, IPv6", () =>
  scene(with_(BOTH, { actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" } }), async (s) => {
    const { ipv6 } = s.prober;
    await s.prober.run(["nc", "-n", "-w", "1", s.target.ipv6, "11"]);
    await heard(s, `attackalert: Connect from host: ${ipv6}/${ipv6} to TCP port: 11`);
    await heard(s, `ALL: [${ipv6}] : DENY`);
    await s.prober.run(["nc", "-n", "-w", "1", s.target.ipv6, "11"]);
    await heard(s, `attackalert: Host: ${ipv6} is already blocked. Ignoring`);
  }));

/** A target with the daemon and a prober (10.77.0.2, fd77::2); the log is text. */
async function scene(
  config: Sections | ((directory: string) => Sections | Promise<Sections>),
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using lab = await Lab.create();
  const [target, prober] = [await lab.host(), await lab.host()];
  const directory = await Deno.makeTempDir();
  try {
    const sections = typeof config === "function" ? await config(directory) : config;
    await using daemon = await Daemon.start(target, { config: with_(sections, { log: { format: "text" } }) });
    await body({ lab, target, prober, daemon, directory });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function with_(base: Sections, more: Sections): Sections {
  const names = [...new Set([...Object.keys(base), ...Object.keys(more)])];
  return Object.fromEntries(names.map((section) => [section, { ...base[section], ...more[section] }]));
}

function name(s: Scene): string {
  return `${s.prober.ipv4}/${s.prober.ipv4}`;
}

async function heard(s: Scene, text: string): Promise<void> {
  try {
    await s.daemon.heard((line) => line.includes(text));
  } catch {
    throw new Error(`Not in the log: ${text}\n${s.daemon.said()}`);
  }
}

function count(s: Scene, text: string): number {
  return s.daemon.text.filter((line) => line.includes(text)).length;
}

async function historyIs(s: Scene, lines: readonly (readonly [string, number])[]): Promise<void> {
  const expected = lines.map(([protocol, port]) => `Host: ${name(s)} Port: ${port} ${protocol} Blocked`);
  await until(
    "the history is written",
    async () => (await s.daemon.history()).split("\n").length > lines.length,
  );
  const found = (await s.daemon.history()).trimEnd().split("\n").map((line) =>
    line.replace(/^\d+ - \S+ \S+ /, "")
  );
  assert.deepEqual(found, expected);
}

async function wrote(s: Scene, file: string): Promise<string> {
  return await until(`${file} is written`, async () => {
    const text = await Deno.readTextFile(`${s.directory}/${file}`).catch(() => "");
    return text === "" ? undefined : text;
  });
}

async function tcp(s: Scene, port: number): Promise<string> {
  return (await s.prober.run(["nc", "-n", "-w", "1", s.target.ipv4, String(port)])).stdout;
}

async function udp(s: Scene, port: number, question = "x"): Promise<string> {
  const result = await s.prober.run(["nc", "-n", "-u", "-w", "1", s.target.ipv4, String(port)], {
    stdin: question,
  });
  return result.stdout;
}

async function nmap(s: Scene, type: string, port: string): Promise<void> {
  await s.prober.out([
    "nmap",
    "--privileged",
    "-n",
    "-Pn",
    "--max-retries",
    "0",
    type,
    "-p",
    port,
    s.target.ipv4,
  ]);
}

async function nmap6(s: Scene, port: string): Promise<void> {
  await s.prober.out(["nmap", "-6", "-n", "-Pn", "--max-retries", "0", "-sS", "-p", port, s.target.ipv6]);
}
