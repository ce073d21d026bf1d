/**
 * The daemon while the administrator's commands misbehave: it goes on detecting and blocking, and tells what failed.
 */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";

/** The command, what the log says about it, and whether the next scanner comes while it is still running. */
interface Misbehaviour {
  readonly command: string;
  readonly error: RegExp | undefined;
  readonly meanwhile: boolean;
}

const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  "hangs": { command: "sleep MARK", error: /longer than its time limit/, meanwhile: true },
  "ignores signals and forks": {
    command: "trap '' TERM INT HUP; for n in 1 2 3 4 5; do (sleep MARK; sleep MARK) & done; wait",
    error: /longer than its time limit/,
    meanwhile: true,
  },
  "prints without end": { command: ": MARK; yes", error: /longer than its time limit/, meanwhile: true },
  "prints a gigabyte and fails": {
    command: "head -c 1073741824 /dev/zero; echo no luck >&2; exit 9",
    error: /exit status 9: no luck/,
    meanwhile: false,
  },
  "does not exist": { command: "/no/such/cmd $TARGET$", error: /exit status 127/, meanwhile: false },
  "fails": { command: "exit 1", error: /exit status 1/, meanwhile: false },
  "forks into the background and leaves": {
    command: "(sleep 3; : MARK) & true",
    error: undefined,
    meanwhile: false,
  },
};

for (const [what, { command, error, meanwhile }] of Object.entries(MISBEHAVIOURS)) {
  Deno.test(`F22 F1: a kill_run_cmd that ${what} holds nothing up and is told as what it is`, async () => {
    await using lab = await Lab.create();
    const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
    const mark = `986.${Deno.pid}${Math.floor(performance.now())}`;
    await using daemon = await Daemon.start(target, {
      config: {
        tcp: { response: "block" },
        detect: { scan_trigger: 0 },
        actions: { kill_run_cmd: command.replaceAll("MARK", mark), timeout: meanwhile ? "4s" : "60s" },
      },
    });
    await scan(first, target);
    await banned(target, first);
    if (meanwhile) await until("the command runs", () => isRunning(mark));
    await scan(second, target);
    await banned(target, second);
    await daemon.line("the second scan is told", (line) => line["source"] === second.ipv4);
    if (meanwhile) assert.ok(await isRunning(mark), "all this must happen while the command runs");

    const block = await daemon.line(
      "the block is told",
      (line) => line["type"] === "block" && line["source"] === first.ipv4,
      90,
    );
    const outcomes = JSON.stringify(block["outcomes"]);
    assert.match(outcomes, /nftables/);
    if (error === undefined) assert.doesNotMatch(outcomes, /"ok":false/);
    else {
      assert.match(outcomes, /"ok":false/);
      assert.match(outcomes, error);
    }
    await until("nothing of it is left running", async () => !(await isRunning(mark)));
    assert.ok(await residentKilobytes(daemon) < 400_000);
  });
}

Deno.test("F1: a kill_route that fails is an error in the log, no block, and no line of the history", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: {
      tcp: { response: "block" },
      detect: { scan_trigger: 0 },
      actions: { firewall: "none", kill_route: "/no/such/cmd $TARGET$" },
      log: { format: "text" },
    },
  });
  await scan(scanner, target);
  await daemon.heard((line) =>
    line.includes("adminalert: ERROR: There was an error trying to block host (exec fail)")
  );
  await daemon.heard((line) => line.includes("attackalert: ERROR: Could not block host"));
  assert.deepEqual(daemon.text.filter((line) => line.includes("has been blocked")), []);
  assert.equal(await daemon.history(), "");
  assert.doesNotMatch((await daemon.cli("list")).stdout, /10\.77\.0\.2/);
});

Deno.test("what a command or a person said cannot write to the terminal of who asks for it", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, {
    config: {
      tcp: { response: "block" },
      detect: { scan_trigger: 0 },
      actions: { kill_run_cmd: "printf 'x\\033[2J\\302\\233\\342\\200\\256y\\r' >&2; exit 3" },
    },
  });
  await scan(scanner, target);
  await daemon.line("the block is told", (line) => line["type"] === "block", 20);
  const reason = "a\u001b]0;title\u0007b\u009b31m";
  const said = [
    await daemon.cli("block", "192.0.2.1", "--reason", reason),
    await daemon.cli("why", scanner.ipv4),
    await daemon.cli("why", "192.0.2.1"),
    await daemon.cli("unblock", "192.0.2.1\u001b[2J"),
  ];
  assert.deepEqual(said.map(({ code }) => code), [69, 0, 0, 64]);
  const text = said.map(({ stdout, stderr }) => stdout + stderr).join("");
  assert.match(text, /exit status 3: x\\u\{1b\}\[2J\\u\{9b\}\\u\{202e\}y/);
  assert.match(text, /a\\u\{1b\}\]0;title/);
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\u202e]/u);
});

async function scan(from: Host, to: Host): Promise<void> {
  await from.run(["nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "21", to.ipv4]);
}

async function banned(target: Host, source: Host): Promise<void> {
  await until(
    `${source.ipv4} is banned`,
    async () =>
      (await target.out(["nft", "list", "set", "inet", "portsnare", "banned4"])).includes(source.ipv4),
    3,
  );
}

async function residentKilobytes(daemon: Daemon): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${daemon.process.pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
}

/** Whether a process has this text in its command line. */
async function isRunning(text: string): Promise<boolean> {
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const line = await Deno.readTextFile(`/proc/${entry.name}/cmdline`).catch(() => "");
    if (line.includes(text)) return true;
  }
  return false;
}
