/**
 * Bad clients of the control socket while others scan: every scanner is banned as if there were none, and afterwards
 * nothing of them is left in the daemon.
 */
import assert from "node:assert/strict";
import { ask } from "../../src/control/client.ts";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import { reaches, serve } from "../lab/clients.ts";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, run, until } from "../lab/lab.ts";
import { AS_NOBODY } from "../lab/nobody.ts";
import { BLOCKING, forge, holdings, untilResidentBelow } from "../lab/siege.ts";
import { ban } from "../unit/record/state/lab_state.ts";

/** As many clients as the daemon has places for. */
const PLACES = 16;
const CROWD = 1000;
const GIGABYTE = 1 << 30;
/** A ban that came later would have been held up; the machine that tests is busy with other things, too. */
const MAX_BAN_SECONDS = 4;
const UNBLOCK = '{"version":1,"verb":"unblock","target":"all"}';
/** More than fits into a socket's buffer when somebody asks for the list and does not read it. */
const BANS = 10_000;
const MAX_GROWTH_KB = 16_384;

/** What a broken or hostile client of the control socket sends. */
const NONSENSE: readonly string[] = [
  "\n",
  "{\n",
  "null\n",
  "[".repeat(4000) + "\n",
  `{"version":1,"verb":"block","target":"${"9".repeat(60)}"}\n`,
  '{"version":1,"verb":"block","target":"0.0.0.0/0"}\n',
  '{"version":1,"verb":"block","target":"::/0"}\n',
  '{"version":1,"verb":"block","target":"192.0.2.1","seconds":1e308}\n',
  '{"version":1,"verb":"unblock","target":"$(id)"}\n',
  '{"version":2,"verb":"status"}\n',
  '{"version":1,"verb":"status","__proto__":{"verb":"reload"}}\n',
  "x".repeat(100_000),
  "\u0000\u0001\u0002\n",
];

/** Who comes to the socket, and what has to be true of what they got. */
const CLIENTS: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "nonsense gets an error or nothing": async (path) => {
    for (const text of NONSENSE) {
      const answer = await say(path, text);
      assert.ok(answer === "" || /"error"/.test(answer), `${text.slice(0, 70)}: ${answer.slice(0, 200)}`);
    }
  },
  "a gigabyte is not read": async (path) => {
    using connection = await Deno.connect({ transport: "unix", path });
    const chunk = new Uint8Array(1 << 20).fill(120);
    let sent = 0;
    const sending = (async () => {
      while (sent < GIGABYTE) sent += await connection.write(chunk);
    })();
    await assert.rejects(sending, Deno.errors.BrokenPipe);
    assert.ok(sent < 4 * chunk.length, `${sent} bytes were taken`);
  },
  "a gigabyte over many connections is not read either": async (path) => {
    const chunk = new Uint8Array(1 << 18).fill(120);
    for (let sent = 0; sent < GIGABYTE; sent += chunk.length) {
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(chunk).catch(() => {});
    }
  },
  "a thousand connections are closed": async (path) => {
    const crowd = await Promise.all(
      Array.from({ length: CROWD }, () => Deno.connect({ transport: "unix", path })),
    );
    await Promise.all(crowd.map((connection) => new Response(connection.readable).text()));
  },
  "half a request and silence is closed": async (path) => {
    const half = new TextEncoder().encode('{"version":1,"verb":"unbl');
    await Promise.all(Array.from({ length: PLACES }, async () => {
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(half);
      assert.equal(await connection.read(new Uint8Array(100)), null);
    }));
  },
  "who asks and does not read is closed": async (path) => {
    const asking = new TextEncoder().encode('{"version":1,"verb":"list"}\n');
    const crowd = await Promise.all(Array.from({ length: PLACES }, async () => {
      const connection = await Deno.connect({ transport: "unix", path });
      await connection.write(asking);
      return connection;
    }));
    await assert.rejects(Array.fromAsync(ask(path, { verb: "status" })), /busy with 16 other clients/);
    await until(
      "there is room again",
      async () => /"end"/.test(await say(path, '{"version":1,"verb":"status"}\n')),
      20,
    );
    crowd.forEach((connection) => connection.close());
  },
  "another user is not let in": async (path) => {
    for (let i = 0; i < 10; i++) {
      const { code, stdout } = await run([
        ...AS_NOBODY,
        "sh",
        "-c",
        'echo "$0" | nc -N -U "$1"',
        UNBLOCK,
        path,
      ]);
      assert.notEqual(code, 0);
      assert.equal(stdout, "");
    }
  },
};

Deno.test("the control socket: whoever comes, no scanner is banned later, and nothing of them stays", async (test) => {
  await using lab = await Lab.create();
  const [target, client, scanner] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, 80);
  const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
  {
    using state = new State(`${directory}/state.db`, systemClock);
    state.saveBans(Array.from({ length: BANS }, (_, i) => ban(`10.128.${i >> 8}.${i & 255}`, systemClock)));
    state.markRecorded();
  }
  await using daemon = await Daemon.start(target, {
    config: { ...BLOCKING, detect: { scan_trigger: 0 } },
    directory,
  });
  await Deno.chmod(daemon.directory, 0o755);
  const path = `${daemon.directory}/control.sock`;
  const scans = new Scans(scanner, target, daemon);
  await scans.one();
  const before = await holdings(daemon.process.pid);
  for (const [what, visit] of Object.entries(CLIENTS)) {
    await test.step(what, async () => {
      let isOver = false;
      const visiting = visit(path).finally(() => isOver = true);
      const delays: number[] = [];
      while (!isOver || delays.length === 0) delays.push(await scans.one());
      await visiting;
      const longest = Math.max(...delays);
      console.log(`${delays.length} scanners, each banned within ${longest.toFixed(2)} s`);
      assert.ok(longest < MAX_BAN_SECONDS, `${longest} s until a ban`);
    });
  }
  assert.ok(await reaches(client, target.ipv4, 80), "a ban of everybody was made");
  await until("an administrator is served", async () => (await daemon.cli("status")).code === 0, 20);
  await until(
    "their descriptors are closed",
    async () => (await holdings(daemon.process.pid)).descriptors <= before.descriptors,
  );
  await untilResidentBelow(daemon.process.pid, before.residentKb + MAX_GROWTH_KB);
});

Deno.test("the control socket: an administrator who finds every place taken is told so, and served a moment later", async () => {
  await using lab = await Lab.create();
  await using daemon = await Daemon.start(await lab.host());
  const path = `${daemon.directory}/control.sock`;
  const silent = await Promise.all(
    Array.from({ length: PLACES }, () => Deno.connect({ transport: "unix", path })),
  );
  const refused = await daemon.cli("status");
  assert.equal(refused.code, 69, refused.stdout);
  assert.equal(
    refused.stderr,
    "portsnare: The daemon is busy with 16 other clients; try again in a moment\n",
  );
  await until("there is room", async () => (await daemon.cli("status")).code === 0, 20);
  silent.forEach((connection) => connection.close());
});

/** One scanner after the other. */
class Scans {
  readonly #scanner: Host;
  readonly #target: Host;
  readonly #daemon: Daemon;
  #count = 0;

  constructor(scanner: Host, target: Host, daemon: Daemon) {
    this.#scanner = scanner;
    this.#target = target;
    this.#daemon = daemon;
  }

  /** Scan in the name of somebody new. @returns Seconds until the ban. */
  async one(): Promise<number> {
    this.#count++;
    const source = `100.64.${this.#count >> 8}.${this.#count & 255}`;
    const sent = performance.now();
    forge(this.#scanner, { source, dest: this.#target.ipv4, ports: [500] });
    await until("the scanner is banned", () => this.#daemon.about(source, "block").length > 0, 30);
    return (performance.now() - sent) / 1000;
  }
}

/** Send a text, and give what comes back until the end. */
async function say(path: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  const bytes = new TextEncoder().encode(text);
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    await connection.closeWrite();
    return await new Response(connection.readable).text();
  } catch {
    // It closed before it had read everything, as it may with a request that is too long.
    return "";
  }
}
