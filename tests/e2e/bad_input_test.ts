/**
 * What the program says, and leaves with, when something that it was given or needs is wrong. Run as a person would.
 */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, type Result, run, until } from "../lab/lab.ts";
import { AS_NOBODY, programIn } from "../lab/nobody.ts";

const program = Daemon.program();
const SYN_SCAN = new URL("../captures/nmap-syn.pcap", import.meta.url).pathname;
const VERBS = [
  "run",
  "check",
  "convert",
  "status",
  "list",
  "why",
  "top",
  "block",
  "unblock",
  "reload",
  "replay",
];

/** A directory of a test's own, with whatever files it needs. */
class Place implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "portsnare-bad-" });

  file(name: string, content: string | Uint8Array<ArrayBuffer>): string {
    const path = `${this.path}/${name}`;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  /** A configuration whose files are all in this directory. */
  config(name: string, text: string): string {
    const files = ["history", "state", "hosts_deny", "control_socket"].map((key) =>
      `${key} = "${this.path}/${key}"\n`
    );
    return this.file(name, `${text}\n[files]\n${files.join("")}\n[log]\ntarget = "stdout"\n`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function lines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Said in so many lines on standard error, nothing of it a stack trace, with this exit code. */
function assertRefused(result: Result, code: number, said: readonly RegExp[]): void {
  assert.equal(result.code, code, result.stderr + result.stdout);
  const told = lines(result.stderr);
  assert.equal(told.length, said.length, result.stderr);
  for (const [index, pattern] of said.entries()) assert.match(told[index] ?? "", pattern);
}

Deno.test("bad input: every fault of a configuration is told at once, with its place and what was meant", async (t) => {
  using place = new Place();
  const rows: Readonly<Record<string, readonly [text: string, said: readonly RegExp[]]>> = {
    "an unknown key": [
      '[tcp]\nrespnse = "block"\n',
      [/^portsnare: \S+\.toml:2:1: unknown key "respnse" in \[tcp\]; did you mean "response"\?$/],
    ],
    "an unknown section": [
      "[detct]\n",
      [/^portsnare: \S+\.toml:1:2: unknown section \[detct\]; did you mean \[detect\]\?$/],
    ],
    "a repeated key": [
      '[tcp]\nmode = "off"\n\n  mode = "stealth"\n',
      [/^portsnare: \S+\.toml:4:3: "mode" is given twice; the first time is line 2$/],
    ],
    "a repeated section": ["[udp]\n[udp]\n", [/^portsnare: \S+\.toml:2:\d+: .*twice/]],
    "a wrong type": [
      '[detect]\nscan_trigger = "three"\n',
      [/^portsnare: \S+\.toml:2:16: detect\.scan_trigger: expected .*0 to 64, found "three"$/],
    ],
    "out of range": [
      "[detect]\nscan_trigger = 65\n",
      [/^portsnare: \S+\.toml:2:16: detect\.scan_trigger: expected .*0 to 64, found 65$/],
    ],
    "a port that there is not, in an array": [
      "[tcp]\nports = [80,\n  65536]\n",
      [/^portsnare: \S+\.toml:3:3: tcp\.ports: 65536 is not a tcp port: expected 0 to 65535/],
    ],
    "a value of another list": [
      '[tcp]\nmode = "stealh"\n',
      [/^portsnare: \S+\.toml:2:8: tcp\.mode: expected "off", "connect", "stealth" or "advanced", found "stealh"/],
    ],
    "no duration": [
      '[detect]\nwindow = "10"\n',
      [/^portsnare: \S+\.toml:2:10: detect\.window: "10" is not a duration: .*such as "10m"$/],
    ],
    "no TOML": ["[tcp\n", [/^portsnare: \S+\.toml:1:5: /]],
    "one of each at once": [
      '[tcp]\nmode = "off"\nmode = "off"\nrespnse = 1\n[block]\nmax_active = 0\n[detect]\nwindow = 7\n',
      [
        /:3:1: "mode" is given twice/,
        /:4:1: unknown key/,
        /:6:14: block\.max_active/,
        /:8:10: detect\.window/,
      ],
    ],
  };
  for (const [what, [text, said]] of Object.entries(rows)) {
    await t.step(what, async () => {
      const path = place.file("config.toml", text);
      for (const verb of ["run", "check"]) {
        const result = await run([...program, verb, "-c", path]);
        assertRefused(result, 78, said);
        assert.equal(result.stdout, "", `${verb} did nothing else`);
      }
    });
  }
});

Deno.test("bad input: faults of several files are told with the file's name, and check --json has them as data", async () => {
  using place = new Place();
  const path = place.file("config.toml", '[tcp]\nmode = "loud"\n');
  Deno.mkdirSync(`${place.path}/conf.d`);
  const second = place.file("conf.d/10-more.toml", "[udp]\nprots = [53]\n");
  const { code, stdout, stderr } = await run([...program, "check", "--json", "-c", path]);
  assert.equal(code, 78, stderr);
  const { ok, findings } = JSON.parse(stdout);
  assert.equal(ok, false);
  const places = findings.map((
    one: Readonly<Record<string, unknown>>,
  ) => [one["file"], one["line"], one["column"]]);
  assert.deepEqual(places, [[path, 2, 8], [second, 2, 1]]);
});

Deno.test("bad input: a configuration that is not there, a directory, a pipe, a disk and a too large one", async (t) => {
  using place = new Place();
  await run(["mkfifo", `${place.path}/pipe`]);
  const large = place.file("large.toml", "#".repeat(2 << 20));
  const rows: readonly (readonly [path: string, said: RegExp])[] = [
    [
      `${place.path}/none.toml`,
      /none\.toml: there is no such file; write one, or name another with -c FILE$/,
    ],
    [place.path, /cannot be read as a configuration: .* is a directory$/],
    [`${place.path}/pipe`, /cannot be read as a configuration: .* is not a regular file$/],
    ["/dev/zero", /cannot be read as a configuration: .* is not a regular file$/],
    [large, /larger than 256 KiB; is this the right file\? .*ignore\.files names$/],
    [
      place.file("image.toml", Uint8Array.of(0xff, 0xd8, 0xff)),
      /:\d+:\d+: not text in UTF-8; is this the right file, and saved as UTF-8\?$/,
    ],
  ];
  for (const [path, said] of rows) {
    await t.step(path, async () => assertRefused(await run([...program, "run", "-c", path]), 78, [said]));
  }
});

Deno.test("bad input: a wrong command line is told in one line that says where to read on", async (t) => {
  const rows: readonly (readonly [args: string, said: RegExp])[] = [
    ["", /^portsnare: A verb is missing, such as status; see: portsnare --help$/],
    ["chek", /"chek"; did you mean "check"\? see: portsnare --help$/],
    ["--verbose", /--verbose; see: portsnare --help$/],
    ["list --jsn", /option or subcommand: --jsn; see: portsnare list --help$/],
    ["why", /^portsnare: ADDRESS is missing; see: portsnare why --help$/],
    ["why 10.0.0", /"10\.0\.0" is not an IPv4 or IPv6 address; see/],
    [
      "block localhost",
      /"localhost" is not an address or prefix, such as 192\.0\.2\.7 or 2001:db8::\/64; see/,
    ],
    ["block 10.0.0.0/33", /"10\.0\.0\.0\/33" is not an address or prefix/],
    ["block 10.0.0.1 --for ever", /--for: "ever" is not a duration: a number and a unit/],
    ["unblock", /^portsnare: Something is missing after "unblock"; see: portsnare unblock --help$/],
    ["unblock 10.0.0.1 --all", /cannot be used together; see/],
    ["run --mode loud", /"tcp", "udp", "stcp", "sudp", "atcp", and "audp", but got "loud"; see/],
    [
      `replay ${SYN_SCAN}`,
      /^portsnare: Cannot judge without --local .*; most packets of this capture are to 10\.77\.0\.1 \(\d+\), /,
    ],
    ["replay x --local here", /"here" is not a list of addresses/],
    ["replay x --local 10.0.0.1 --open 80-70", /"80-70" is not a list of ports/],
    ["replay x --local 10.0.0.1 --open 80,udp:", /"80,udp:" is not a list of ports, such as 22,80,.*udp:53/],
    ["completions", /^portsnare: .*shell/],
    ["completions tcsh", /"tcsh"/],
  ];
  for (const [args, said] of rows) {
    await t.step(`portsnare ${args}`, async () => {
      const result = await run([...program, ...args.split(" ").filter((word) => word !== "")]);
      assertRefused(result, 64, [said]);
      assert.equal(result.stdout, "");
    });
  }
});

Deno.test("every verb says what it is for, and the program which version it is", async (t) => {
  for (const verb of VERBS) {
    await t.step(verb, async () => {
      for (const args of [[verb, "--help"], [verb, "-h"], ["help", verb]]) {
        const { code, stdout, stderr } = await run([...program, ...args]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, new RegExp(`^Usage: portsnare ${verb}\\b`, "m"), args.join(" "));
      }
    });
  }
  const help = await run([...program, "--help"]);
  assert.equal(help.code, 0);
  for (const verb of [...VERBS, "completions"]) assert.match(help.stdout, new RegExp(`\\b${verb}\\b`));
  assert.match(help.stdout, /^Usage: portsnare COMMAND …$/m);
  assert.equal((await run([...program, "-h"])).stdout, help.stdout);
  const version = await run([...program, "--version"]);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^portsnare \d+\.\d+\.\d+ \(.+\)\n$/);
});

Deno.test("whoever stops reading harms nothing, and a full disk is told", async () => {
  const shown = [...program, "replay", SYN_SCAN, "--local", "10.77.0.1", "--json"].join(" ");
  const first = await run(["bash", "-c", `${shown} | head -n 1; echo "\${PIPESTATUS[0]}"`]);
  assert.match(first.stdout, /^\{"type":"probe".*\n0\n$/);
  assert.equal(first.stderr, "");
  const closed = await run(["bash", "-c", `${shown} >&-`]);
  assert.equal(closed.code, 0, closed.stderr);
  const full = await run(["bash", "-c", `${shown} >/dev/full`]);
  assertRefused(full, 69, [/^portsnare: Cannot write to standard output: No space left on device$/]);
});

Deno.test("bad input: verbs that ask the daemon say that there is none", async () => {
  using place = new Place();
  const path = place.config("config.toml", "");
  for (const args of [["status"], ["top"], ["block", "192.0.2.1"], ["unblock", "--all"], ["reload"]]) {
    const result = await run([...program, ...args, "-c", path]);
    assertRefused(result, 69, [
      /^portsnare: No daemon is running .*start it with: systemctl start portsnare$/,
    ]);
  }
});

Deno.test("bad input: convert refuses what is no configuration of PortSentry", async (t) => {
  using place = new Place();
  const random = crypto.getRandomValues(new Uint8Array(4096));
  const rows: readonly (readonly [path: string, said: RegExp])[] = [
    [place.file("text", "hello\n"), /this is no portsentry\.conf: it sets none of PortSentry's options$/],
    [place.file("noise", random), /this is no portsentry\.conf/],
    [place.file("empty", ""), /this is no portsentry\.conf/],
    [`${place.path}/none`, /none: there is no such file$/],
    ["/dev/zero", /is not a regular file$/],
  ];
  for (const [path, said] of rows) {
    await t.step(path, async () => assertRefused(await run([...program, "convert", path]), 65, [said]));
  }
});

Deno.test("bad input: replay refuses captures that are cut short, lie or are none, and never falls over", async (t) => {
  using place = new Place();
  const scan = Deno.readFileSync(SYN_SCAN);
  const lying = scan.slice();
  // The captured length of the first record (pcap-savefile(5)).
  new DataView(lying.buffer).setUint32(24 + 8, 0x7fffffff, true);
  const wifi = scan.slice();
  new DataView(wifi.buffer).setUint32(20, 105, true);
  const rows: Readonly<Record<string, readonly [path: string, said: RegExp]>> = {
    "cut short": [
      place.file("cut", scan.slice(0, 1000)),
      /beyond byte \d+: .*the \d+ packets before it were judged$/,
    ],
    "cut in the header": [
      place.file("header", scan.slice(0, 10)),
      /^portsnare: Cannot read the capture \S+header: /,
    ],
    "a length that lies": [place.file("lying", lying), /^portsnare: Cannot read the capture \S+lying: /],
    "random bytes": [
      place.file("noise", crypto.getRandomValues(new Uint8Array(65536))),
      /neither pcap nor pcapng$/,
    ],
    "empty": [place.file("empty", ""), /the file is empty/],
    "another link layer": [place.file("wifi", wifi), /link type 105 is not known; expected Ethernet/],
    "nothing": [`${place.path}/none`, /Cannot read the capture \S+none: No such file or directory$/],
    "a directory": [place.path, /it is a directory$/],
  };
  for (const [what, [path, said]] of Object.entries(rows)) {
    await t.step(what, async () => {
      const result = await run([...program, "replay", path, "--local", "10.77.0.1", "--json"]);
      assertRefused(result, 65, [said]);
      for (const line of lines(result.stdout)) JSON.parse(line);
    });
  }
  await t.step("random records behind an honest header", async () => {
    for (let i = 0; i < 5; i++) {
      const noise = crypto.getRandomValues(new Uint8Array(20_000));
      noise.set(scan.subarray(0, 24));
      const path = place.file("records", noise);
      const result = await run([...program, "replay", path, "--local", "10.77.0.1", "--json"]);
      assert.ok(result.code === 0 || result.code === 65, result.stderr);
      assert.doesNotMatch(result.stdout, /"type":"block"/);
      assert.doesNotMatch(result.stderr, /internal error/);
    }
  });
});

Deno.test("without privilege the daemon leaves with 77 and names what is missing, whatever the engine", async (t) => {
  using place = new Place();
  const nobody = [...AS_NOBODY, ...await programIn(place.path)];
  // A root without the two capabilities, as in many a container.
  const bare = [
    "setpriv",
    "--bounding-set=-net_admin,-net_raw",
    "--inh-caps=-net_admin,-net_raw",
    ...program,
  ];
  const BOTH = ["CAP_NET_ADMIN", "CAP_NET_RAW"];
  const rows: readonly (readonly [engine: string, response: string, lacks: readonly string[]])[] = [
    ["auto", "block", BOTH],
    ["auto", "observe", ["CAP_NET_RAW"]],
    ["kernel", "block", ["CAP_NET_ADMIN"]],
    ["kernel", "observe", ["CAP_NET_ADMIN"]],
    ["raw", "block", BOTH],
    ["raw", "observe", ["CAP_NET_RAW"]],
  ];
  for (const [engine, response, lacks] of rows) {
    await t.step(`engine ${engine}, response ${response}`, async () => {
      const text = `detect.engine = "${engine}"\ntcp.response = "${response}"\n`;
      const path = place.config("config.toml", text);
      for (const who of [nobody, bare]) {
        const result = await run([...who, "run", "-c", path], { seconds: 30 });
        const missing = lacks.map((name) => `${name} \\(.+\\)`).join(" and ");
        const said = new RegExp(
          `^portsnare: Cannot start: this process lacks ${missing}; run it as root, or with `,
        );
        assertRefused(result, 77, [said]);
        assert.match(result.stderr, /CAP_NET_ADMIN and CAP_NET_RAW$/m);
        assert.equal(result.stdout, "");
      }
    });
  }
});

Deno.test("check without privilege says what it cannot know, and with it what it tried", async () => {
  await using lab = await Lab.create();
  const host = await lab.host();
  using place = new Place();
  const nobody = [...AS_NOBODY, ...await programIn(place.path)];
  const path = place.config("config.toml", 'tcp.response = "block"\n');
  const unprivileged = await run([...nobody, "check", "-c", path]);
  assert.equal(unprivileged.code, 0, unprivileged.stderr);
  assert.match(unprivileged.stdout, /^note: Only root can try which engine works here/m);
  assert.match(unprivileged.stdout, /engine +unknown \(/);
  const privileged = await host.run([...program, "check", "-c", path]);
  assert.equal(privileged.code, 0, privileged.stderr);
  assert.match(privileged.stdout, /engine +kernel \(tried: /);
  assert.equal(await host.out(["nft", "list", "ruleset"]), "", "trying changes nothing");
  const json = await host.run([...program, "check", "--json", "-c", path]);
  assert.equal(JSON.parse(json.stdout).effect.engine.engine, "kernel");
});

/** A command that runs where everything is as usual, but nft is not installed. */
function withoutNft(place: Place, argv: readonly string[]): readonly string[] {
  const layers = `${place.path}/layers`;
  const hide = [
    `mkdir -p ${layers}`,
    `mount -t tmpfs tmpfs ${layers}`,
    `mkdir ${layers}/upper ${layers}/work`,
    `mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir=${layers}/upper,workdir=${layers}/work /usr/sbin`,
    "rm /usr/sbin/nft",
    'exec "$@"',
  ];
  return ["unshare", "--mount", "sh", "-ec", hide.join("\n"), "sh", ...argv];
}

Deno.test("without nft the daemon leaves with 69 and names the package when it would have to block", async (t) => {
  await using lab = await Lab.create();
  const host = await lab.host();
  using place = new Place();
  for (const engine of ["auto", "kernel", "raw"]) {
    await t.step(`engine ${engine}`, async () => {
      const path = place.config("config.toml", `detect.engine = "${engine}"\ntcp.response = "block"\n`);
      const result = await host.run(withoutNft(place, [...program, "run", "-c", path]));
      assert.equal(result.code, 69, result.stderr);
      assert.match(
        result.stderr,
        /^portsnare: Cannot .*: there is no nft; install Debian's package nftables$/m,
      );
      const checked = await host.run(withoutNft(place, [...program, "check", "-c", path]));
      assert.equal(checked.code, 69, checked.stderr);
      assert.match(
        checked.stderr,
        /^portsnare: .* needs nft, which is not there \(Debian package nftables\)$/m,
      );
    });
  }
});

Deno.test("without nft the daemon observes with the raw engine, says so, and sees the scan", async () => {
  await using lab = await Lab.create();
  const [host, scanner] = [await lab.host(), await lab.host()];
  using place = new Place();
  const path = place.config("config.toml", "");
  const child = host.spawn(withoutNft(place, [...program, "run", "-c", path]));
  const said = await heard(child, scanner, host);
  assert.match(said, /The raw engine is used because .*there is no nft; install Debian's package nftables/);
  assert.match(said, /attackalert: TCP SYN\/Normal scan from host: .*10\.77\.0\.2/);
  const checked = await host.run(withoutNft(place, [...program, "check", "-c", path]));
  assert.equal(checked.code, 0, checked.stderr);
  assert.match(checked.stdout, /engine +raw \(nft is not installed \(Debian package nftables\)\)/);
});

/** What a daemon has said when it has told of a scanner; it is ended then. */
async function heard(child: Deno.ChildProcess, scanner: Host, target: Host): Promise<string> {
  let said = "";
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write: (chunk) => {
        said += chunk;
      },
    }),
  );
  await until("the daemon is armed", () => said.includes("active and listening"), 30);
  await scanner.run(["hping3", "-q", "-c", "5", "-i", "u1000", "-S", "-p", "++81", target.ipv4]);
  await until(`the scanner is told of: ${said}`, () => said.includes("attackalert"));
  child.kill("SIGTERM");
  await reading;
  return said;
}
