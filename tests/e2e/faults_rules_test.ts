/** Others meddle with our rules, or nft does not do its work: bans and trap come back. @module */
import assert from "node:assert/strict";
import { Daemon } from "../lab/daemon.ts";
import { Lab, run, until } from "../lab/lab.ts";
import { bannedInKernel, banOf, BLOCKING, scan } from "../lab/siege.ts";

/** What others do to the ruleset, and what must be there again afterwards. */
const REMOVALS: Readonly<Record<string, readonly string[]>> = {
  "nft flush ruleset": ["nft", "flush", "ruleset"],
  "nft delete table": ["nft", "delete", "table", "inet", "portsnare"],
  "a chain of ours flushed": ["nft", "flush", "chain", "inet", "portsnare", "guard"],
  "somebody's accept in front of our rules": [
    "nft",
    "insert",
    "rule",
    "inet",
    "portsnare",
    "trap",
    "accept",
  ],
};

for (const [what, argv] of Object.entries(REMOVALS)) {
  Deno.test(`${what}, during a scan: rules and bans are back within two seconds, and it is said once`, async () => {
    await using lab = await Lab.create();
    const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
    await using daemon = await Daemon.start(target, { config: BLOCKING });
    scan(first, target.ipv4);
    await banOf(daemon, first.ipv4);
    scan(second, target.ipv4, 1, 100);
    await target.out(argv);
    await until(
      "the ban is back",
      async () =>
        (await bannedInKernel(target)).includes(first.ipv4) &&
        (await target.run(["nft", "list", "chain", "inet", "portsnare", "guard"])).stdout.includes(
          "@banned4",
        ),
      2,
    );
    scan(second, target.ipv4);
    await banOf(daemon, second.ipv4);
    // Another few rounds of looking, in which it must have nothing to say.
    const said = () => daemon.notices().filter((line) => line.includes("putting it back")).length;
    await until("it is said", () => said() > 0);
    const round = Date.now();
    await until("three more rounds", () => Date.now() - round > 3000);
    assert.equal(said(), 1, daemon.said());
    assert.equal(await daemon.stop(), 0);
  });
}

Deno.test("a ruleset that was saved and is loaded again takes back no release and no ban made since", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  assert.equal((await daemon.cli("block", "192.0.2.1")).code, 0);
  const saved = `flush ruleset\n${await target.out(["nft", "list", "ruleset"])}`;
  assert.equal((await daemon.cli("unblock", "192.0.2.1")).code, 0);
  assert.equal((await daemon.cli("block", "192.0.2.2")).code, 0);
  await target.out(["nft", "-f", "-"], { stdin: saved });
  await until("the kernel has what the daemon has", async () => {
    const there = await bannedInKernel(target);
    return there.includes("192.0.2.2") && !there.includes("192.0.2.1");
  }, 5);
  assert.equal(await daemon.stop(), 0);
});

Deno.test("a chain that somebody else hooks before and behind ours takes nothing from it", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: BLOCKING });
  for (const priority of [-301, -300, -11, -10, -9]) {
    const hook = priority <= -300 ? "prerouting" : "input";
    await target.out(["nft", "-f", "-"], {
      stdin:
        `table inet other${-priority} { chain c { type filter hook ${hook} priority ${priority}; accept; }; }`,
    });
  }
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  assert.deepEqual(daemon.notices().filter((line) => line.includes("putting it back")), []);
});

Deno.test("somebody else owns our table: nft and netlink refuse, which is said, and all is put back when they leave", async () => {
  await using lab = await Lab.create();
  const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
  await using daemon = await Daemon.start(target, { config: { ...BLOCKING, block: { quarantine: "0s" } } });
  scan(first, target.ipv4);
  await banOf(daemon, first.ipv4);
  const owner = target.spawn(["nft", "-i"], { stdin: "piped", stdout: "null", stderr: "null" });
  const writer = owner.stdin.getWriter();
  await writer.write(new TextEncoder().encode(
    "delete table inet portsnare; add table inet portsnare { flags owner; }\n",
  ));
  await daemon.line(
    "it says why the rules cannot be put back",
    (line) => /could not be put back: .*not permitted/i.test(String(line["message"])),
  );
  assert.equal((await daemon.cli("block", "192.0.2.1")).code, 69, "a ban that was not made is told as such");
  assert.equal((await daemon.cli("status")).code, 0);
  await writer.close();
  await owner.status;
  await until("everything is back", async () => (await bannedInKernel(target)).includes(first.ipv4), 10);
  scan(second, target.ipv4);
  await banOf(daemon, second.ipv4);
  assert.equal(await daemon.stop(), 0);
});

/** How nft can fail, and what is said of it. */
const BROKEN_NFT: Readonly<Record<string, readonly [script: string, said: RegExp]>> = {
  fails: ["echo 'Error: no luck' >&2; exit 1", /could not be put back: .*no luck/],
  hangs: [
    'while [ -e "$BROKEN" ]; do sleep 0.1; done; exit 1',
    /could not be put back: .*longer than its time limit/,
  ],
};

for (const [what, [script, said]] of Object.entries(BROKEN_NFT)) {
  Deno.test(`nft ${what} when it is needed: this is said, and all is put back when it works again`, async () => {
    await using lab = await Lab.create();
    const [target, first, second] = [await lab.host(), await lab.host(), await lab.host()];
    const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
    const [nft, real, broken] = [`${directory}/nft`, `${directory}/real`, `${directory}/broken`];
    await Deno.copyFile((await run(["sh", "-c", "command -v nft"])).stdout.trim(), real);
    await Deno.writeTextFile(
      nft,
      `#!/bin/sh\nBROKEN=${broken}\n[ -e "$BROKEN" ] || exec ${real} "$@"\n${script}\n`,
      {
        mode: 0o755,
      },
    );
    await using daemon = await Daemon.start(target, {
      config: BLOCKING,
      directory,
      within: ["unshare", "--mount", "sh", "-c", `mount --bind ${nft} $(command -v nft) && exec "$@"`, "sh"],
    });
    scan(first, target.ipv4);
    await banOf(daemon, first.ipv4);
    await Deno.writeTextFile(broken, "");
    await target.out(["nft", "flush", "ruleset"]);
    await daemon.line("it says so", (line) => said.test(String(line["message"])), 60);
    assert.equal((await daemon.cli("status")).code, 0);
    await Deno.remove(broken);
    await until("everything is back", async () => (await bannedInKernel(target)).includes(first.ipv4), 60);
    scan(second, target.ipv4);
    await banOf(daemon, second.ipv4);
    assert.equal(await daemon.stop(), 0);
  });
}
