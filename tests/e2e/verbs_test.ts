/**
 * What an administrator sees and can undo: every verb against a running daemon, and without one.
 */
import assert from "node:assert/strict";
import { reaches, serve } from "../lab/clients.ts";
import { configText, Daemon } from "../lab/daemon.ts";
import { type Host, Lab, type Result } from "../lab/lab.ts";

const CONFIG = {
  tcp: { response: "block" },
  block: { duration: "1h", factor: 2 },
  actions: { kill_hosts_deny: "ALL: $TARGET$ : DENY" },
};
/** Every ban has an action that fails. */
const FAILING = { ...CONFIG, actions: { ...CONFIG.actions, kill_run_cmd: "exit 3" } };

interface Scene {
  readonly target: Host;
  readonly scanner: Host;
  readonly other: Host;
  readonly daemon: Daemon;
}

async function scene(body: (scene: Scene) => Promise<void>, config = CONFIG): Promise<void> {
  await using lab = await Lab.create();
  const [target, scanner, other] = [await lab.host(), await lab.host(), await lab.host()];
  await serve(target, 80);
  await using daemon = await Daemon.start(target, { config });
  await body({ target, scanner, other, daemon });
}

async function scan(scanner: Host, target: Host): Promise<void> {
  await scanner.run(["nmap", "-n", "-Pn", "-T4", "--max-retries", "0", "-sS", "-p", "20-40", target.ipv4]);
}

/** What it printed, and that it left with this code and complained about nothing else. */
function told(result: Result, code = 0): string {
  assert.equal(result.code, code, result.stderr + result.stdout);
  if (code === 0) assert.equal(result.stderr, "");
  return result.stdout;
}

function json(result: Result): readonly Record<string, unknown>[] {
  return told(result).split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

function fits(text: string): void {
  for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
}

async function banned(host: Host): Promise<string> {
  const sets = ["banned4", "banned6", "banned_net4", "banned_net6"];
  const listed = await Promise.all(
    sets.map((set) => host.out(["nft", "list", "set", "inet", "portsnare", set])),
  );
  return listed.join("");
}

Deno.test("status says what is watched, protected and done, for people and for machines", async () => {
  await scene(async ({ scanner, target, daemon }) => {
    await scan(scanner, target);
    await daemon.line("the ban", (line) => line["type"] === "block");
    const text = told(await daemon.cli("status"));
    fits(text);
    assert.match(text, /^portsnare [\d.]+, process \d+, since /);
    assert.match(text, /tcp: mode advanced, response block/);
    assert.match(text, /bans: 1 of at most \d+ in force; 1 made, 0 failed/);
    assert.match(text, /packets: \d+ trapped, \d+ reported, 0 lost since the configuration was\s+read\n/);
    assert.match(text, /state: kept/);
    assert.match(text, new RegExp(`^${target.ipv4} +\\d+ +an address of this host`, "m"));
    const [view = {}] = json(await daemon.cli("status", "--json"));
    assert.equal(view["pid"], daemon.process.pid);
    assert.deepEqual(view["firewall"], { name: "nftables", health: "in place" });
    assert.deepEqual(view["bans"], { active: 1, max: 131072, made: 1, failed: 0, refused: 0 });
  });
});

Deno.test("tables and status fit the terminal that they are printed on, whatever its width", async () => {
  await scene(async ({ scanner, target, daemon }) => {
    await scan(scanner, target);
    await daemon.line("the ban", (line) => line["type"] === "block");
    told(await daemon.cli("block", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
    for (const columns of [60, 72, 132]) {
      for (const verb of ["status", "list", "top"]) {
        const command = [...Daemon.program(), verb, "-c", `${daemon.directory}/config.toml`].join(" ");
        const screen = await target.out(["script", "-qec", `stty cols ${columns}; ${command}`, "/dev/null"]);
        const lines = screen.replaceAll("\r", "").split("\n");
        assert.ok(lines.length > 2, screen);
        for (const line of lines) {
          // A path is one word, and stays whole.
          assert.ok(line.length <= columns || !line.includes(" ", 4), `${columns} columns, ${verb}: ${line}`);
        }
      }
    }
  });
});

Deno.test("why tells the whole story: probes, rule, actions, failures, earlier bans and what was taken back", async () => {
  await scene(async ({ scanner, other, target, daemon }) => {
    const unknown = told(await daemon.cli("why", "198.51.100.1"));
    assert.match(unknown, /^198\.51\.100\.1 is not blocked\.\nNothing is known of it\./);
    await scan(scanner, target);
    await daemon.line("the ban", (line) => line["type"] === "block");
    assert.match(
      told(await daemon.cli("unblock", scanner.ipv4)),
      /: unblocked\n {2}nftables: done\n {2}kill_hosts_deny: done/,
    );
    await scan(scanner, target);
    await daemon.line("the second ban", (line) => line["type"] === "block" && line["offence"] === 2);
    const text = told(await daemon.cli("why", scanner.ipv4));
    assert.match(text, /is blocked\.\n\nBan number 2, made .*, until .*: probed 3 different ports\n/);
    assert.match(text, /Ban number 1, made .*, unblocked at .*: probed 3 different ports\n/);
    assert.match(text, / syn probe of tcp port \d+\n/);
    assert.match(
      text,
      /nftables: done\n {2}kill_hosts_deny: done: ALL: \S+ : DENY\n {2}kill_run_cmd: FAILED: .*3/,
    );
    assert.match(text, /taken back: kill_hosts_deny: done/);
    const [story = {}] = json(await daemon.cli("why", scanner.ipv4, "--json"));
    const offences = story["offences"];
    assert.ok(Array.isArray(offences) && offences.length === 2);
    assert.deepEqual(
      [offences[0].offence, offences[0].ended, Math.round(offences[0].until - offences[0].since)],
      [2, null, 7200],
      "block.factor doubles the second ban",
    );
    await other.run(["nmap", "-n", "-Pn", "--max-retries", "0", "-sS", "-p", "33", target.ipv4]);
    await daemon.line("one probe", (line) => line["type"] === "probe" && line["source"] === other.ipv4);
    assert.match(
      told(await daemon.cli("why", other.ipv4)),
      /is not blocked\.\nIt has asked for 1 port; 3 make a scanner .*\n\nProbes that count at this moment:\n.* syn probe of tcp port 33/,
    );
    const own = told(await daemon.cli("why", target.ipv4));
    assert.match(own, /It is never banned: an address of this host\./);
    const top = told(await daemon.cli("top"));
    fits(top);
    assert.match(top, new RegExp(`^${other.ipv4} +1 +1 +\\S+ \\S+ +no +syn`, "m"));
    assert.ok(json(await daemon.cli("top", "--json")).some((source) => source["address"] === other.ipv4));
    const blocked = await daemon.cli("block", "192.0.2.1");
    assert.equal(blocked.code, 69, "somebody must see that not everything was done");
    assert.match(
      blocked.stdout,
      /^192\.0\.2\.1: blocked until \d{4}-\S+ \S+\n {2}nftables: done\n(.*\n)? *kill_run_cmd: FAILED/,
    );
  }, FAILING);
});

Deno.test("F6: block and unblock of addresses and prefixes of both families, in the kernel and back", async () => {
  await scene(async ({ scanner, target, daemon }) => {
    const long = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    for (
      const words of [
        [scanner.ipv4, "--for", "2h", "--reason", "because I say so"],
        ["192.0.2.0/24", "--for", "permanent"],
        [long],
        ["2001:db8:ffff:ffff:ffff:ffff:ffff:0/120"],
      ]
    ) told(await daemon.cli("block", ...words));
    assert.equal(await reaches(scanner, target.ipv4, 80), false);
    const kernel = await banned(target);
    for (const text of [scanner.ipv4, "192.0.2.0/24", long, "2001:db8:ffff:ffff:ffff:ffff:ffff:0/120"]) {
      assert.ok(kernel.includes(text), `${text} in ${kernel}`);
    }
    const list = told(await daemon.cli("list"));
    fits(list);
    assert.match(list, /^192\.0\.2\.0\/24 +\S+ \S+ +permanent +1/m);
    const views = json(await daemon.cli("list", "--json"));
    assert.deepEqual(views.find((ban) => ban["target"] === "192.0.2.0/24")?.["until"], null);
    assert.match(
      told(await daemon.cli("why", "192.0.2.77")),
      /is blocked\.\n\nBan number 1 of 192\.0\.2\.0\/24, made .*, permanent: blocked by hand/,
    );
    assert.ok(daemon.notices().includes(`${scanner.ipv4} was blocked by hand for 2h: because I say so`));
    assert.match(told(await daemon.cli("why", scanner.ipv4)), /blocked by hand: because I say so/);
    const inside = await daemon.cli("unblock", "192.0.2.77");
    assert.equal(inside.code, 69);
    assert.match(
      inside.stderr,
      /192\.0\.2\.77 is not blocked, but 192\.0\.2\.0\/24 around it is; unblock that\n$/,
    );
    for (
      const [prefix, hint] of [
        ["192.0.2.128/25", "192.0.2.0/24 around it is; unblock that"],
        ["192.0.0.0/16", "1 ban inside it is in force; see: portsnare list"],
        ["2001:db8::/32", "2 bans inside it are in force; see: portsnare list"],
      ] as const
    ) {
      const { code, stderr } = await daemon.cli("unblock", prefix);
      assert.deepEqual([code, stderr], [69, `portsnare: ${prefix} is not blocked, but ${hint}\n`]);
    }
    told(await daemon.cli("unblock", "192.0.2.0/24"));
    assert.ok(!(await banned(target)).includes("192.0.2.0"));
    const changes = json(await daemon.cli("unblock", "--all", "--json"));
    assert.equal(changes.length, 3);
    assert.ok(changes.every((change) => change["done"] === true));
    assert.ok(await reaches(scanner, target.ipv4, 80));
    assert.ok(!(await banned(target)).includes("elements"));
    assert.equal(told(await daemon.cli("list")), "No bans are in force.\n");
    assert.equal(told(await daemon.cli("unblock", "--all")), "No bans are in force.\n");
    assert.doesNotMatch(await Deno.readTextFile(`${daemon.directory}/hosts.deny`), /ALL:/);
  });
});

Deno.test("block refuses whom it must never ban, unless it is forced, and what is no address", async () => {
  await scene(async ({ target, daemon }) => {
    for (
      const [words, code, says] of [
        [
          [target.ipv4],
          64,
          /10\.\S+ is never banned \(an address of this host\); --force bans it all the same/,
        ],
        [["10.77.0.0/24"], 64, /is never banned \(it holds \S+: an address of this host\)/],
        [["127.0.0.1"], 64, /is never banned \(on the ignore list\)/],
        [["127.0.0.0/8"], 64, /is never banned/],
        [["::/0"], 64, /is never banned/],
        [["10.77.0.300"], 64, /portsnare: .*10\.77\.0\.300/],
        [["192.0.2.1", "--for", "soon"], 64, /soon/],
        [["192.0.2.1", "--for", "0s"], 64, /--for: "0s" is not a duration/],
      ] as const
    ) {
      const result = await daemon.cli("block", ...words);
      assert.equal(result.code, code, words.join(" "));
      assert.match(result.stderr, says);
    }
    assert.equal(told(await daemon.cli("list")), "No bans are in force.\n");
    told(await daemon.cli("block", target.ipv6, "--force"));
    assert.ok((await banned(target)).includes(target.ipv6));
    told(await daemon.cli("unblock", target.ipv6));
  });
});

Deno.test("reload takes up a new configuration, and keeps the old one when the new one is wrong", async () => {
  await scene(async ({ daemon }) => {
    const path = `${daemon.directory}/config.toml`;
    await Deno.writeTextFile(path, configText(daemon.directory, { ...CONFIG, tcp: { response: "observe" } }));
    assert.match(told(await daemon.cli("reload")), /read anew: .*config\.toml/);
    assert.match(told(await daemon.cli("status")), /tcp: mode advanced, response observe/);
    await Deno.writeTextFile(path, `${configText(daemon.directory, CONFIG)}\n[nonsense]\nkey = 1\n`);
    const refused = await daemon.cli("reload");
    assert.equal(refused.code, 78, refused.stdout);
    assert.match(refused.stderr, /config\.toml:\d+:\d+: .*nonsense/);
    await Deno.writeTextFile(path, configText(daemon.directory, CONFIG));
    assert.match(told(await daemon.cli("status")), /tcp: mode advanced, response observe/);
  });
});

Deno.test("without a daemon, list and why read its state file and say so; the other verbs say what to do", async () => {
  await scene(async ({ scanner, target, daemon }) => {
    await scan(scanner, target);
    await daemon.line("the ban", (line) => line["type"] === "block");
    told(await daemon.cli("block", "192.0.2.1", "--for", "1s"));
    await daemon.stop("SIGKILL");
    const list = await daemon.cli("list", "--json");
    assert.equal(list.code, 0, list.stderr);
    assert.match(
      list.stderr,
      /No daemon is running .*start portsnare; this is from its state file .*state\.db/,
    );
    const bans = list.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    const [left = 0] = bans.filter((ban) => ban.target === scanner.ipv4).map((ban) => ban.left);
    assert.ok(left > 3500 && left <= 3600, `left ${left}`);
    const why = await daemon.cli("why", scanner.ipv4);
    assert.equal(why.code, 0);
    assert.match(why.stdout, /is blocked\.\n\nBan number 1, made .*: probed 3 different ports\n/);
    for (const words of [["status"], ["top"], ["reload"], ["block", "192.0.2.1"], ["unblock", "--all"]]) {
      const result = await daemon.cli(...words);
      assert.equal(result.code, 69, words.join(" "));
      assert.match(
        result.stderr,
        /^portsnare: No daemon is running .* start it with: systemctl start portsnare\n$/,
      );
      assert.equal(result.stdout, "");
    }
    await Deno.remove(`${daemon.directory}/state.db`);
    const nothing = await daemon.cli("list");
    assert.equal(nothing.code, 69);
    assert.match(nothing.stderr, /No daemon is running.*\nportsnare: There is no state file .*state\.db/);
    await using again = await Daemon.start(target, { config: CONFIG, directory: daemon.directory });
    assert.equal(told(await again.cli("list")), "No bans are in force.\n");
  });
});
