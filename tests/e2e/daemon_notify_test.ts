/**
 * What the whole daemon tells systemd (sd_notify(3)): ready when the trap is armed and not before, what it is doing, that
 * it is alive and no longer so when it hangs, a reload, and its end.
 */
import assert from "node:assert/strict";
import { State } from "../../src/record/state/state.ts";
import { systemClock } from "../../src/system/clock.ts";
import { configText, Daemon } from "../lab/daemon.ts";
import { type Host, Lab, until } from "../lab/lab.ts";
import { bannedInKernel, banOf, BLOCKING, scan } from "../lab/siege.ts";
import { UnixReceiver } from "../lab/unix_receiver.ts";
import { ban } from "../unit/record/state/lab_state.ts";

const WATCHDOG_SECONDS = 2;
/** So many bans are put back before the trap is armed that it can be seen that nothing is ready yet. */
const BANS = 30_000;

/** A datagram of the daemon, and when it came. */
interface Message {
  readonly text: string;
  readonly at: number;
}

/** What systemd hears. */
class Systemd implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "portsnare-" });
  readonly #receiver = new UnixReceiver(`${this.directory}/notify`);
  readonly #messages: Message[] = [];

  /** What it sets for the service. */
  get env(): Readonly<Record<string, string>> {
    return { NOTIFY_SOCKET: `${this.directory}/notify`, WATCHDOG_USEC: String(WATCHDOG_SECONDS * 1e6) };
  }

  /** Everything so far. The time is that of the look, so look often. */
  messages(): readonly Message[] {
    const at = performance.now() / 1000;
    this.#messages.push(...this.#receiver.received().map((text) => ({ text, at })));
    return this.#messages;
  }

  async heard(pattern: RegExp, since = 0, seconds = 20): Promise<Message> {
    return await until(
      `${pattern}`,
      () => this.messages().slice(since).find(({ text }) => pattern.test(text)),
      seconds,
    );
  }

  /** The signs of life so far. */
  pings(): readonly Message[] {
    return this.messages().filter(({ text }) => text === "WATCHDOG=1");
  }

  [Symbol.dispose](): void {
    this.#receiver[Symbol.dispose]();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Whether the engine looks at packets: the kernel's log has a reader, or there is a packet socket. */
const ARMED: Readonly<Record<string, (target: Host, pid: number) => Promise<boolean>>> = {
  kernel: async (target) => (await target.out(["cat", "/proc/net/netfilter/nfnetlink_log"])) !== "",
  raw: async (target, pid) => (await target.out(["ss", "-0lnp"])).includes(`pid=${pid},`),
};

for (const [engine, isArmed] of Object.entries(ARMED)) {
  Deno.test(`notify: engine ${engine}: READY=1 comes when every ban is back and the trap is armed`, async () => {
    await using lab = await Lab.create();
    const target = await lab.host();
    using systemd = new Systemd();
    const directory = await Deno.makeTempDir({ prefix: "portsnare-" });
    {
      using state = new State(`${directory}/state.db`, systemClock);
      state.saveBans(Array.from({ length: BANS }, (_, i) => ban(`10.128.${i >> 8}.${i & 255}`, systemClock)));
      state.markRecorded();
    }
    await using daemon = await Daemon.launch(target, {
      config: { ...BLOCKING, detect: { engine } },
      directory,
      env: systemd.env,
    });
    const ready = await systemd.heard(/^READY=1$/m);
    assert.ok(await isArmed(target, daemon.process.pid), "nobody looks at packets");
    const status = `^READY=1\nSTATUS=Engine ${engine}; ${BANS} bans in force, 0 made since start$`;
    assert.match(ready.text, new RegExp(status));
    // While the kernel's hash table still grows, a listing passes some of its elements over.
    await until(
      "the kernel lists every ban",
      async () => (await bannedInKernel(target)).length === BANS,
    );
    const before = systemd.messages().slice(0, systemd.messages().indexOf(ready));
    assert.deepEqual(before, [], "nothing is said before");
    await daemon.line("it says so", (line) => String(line["message"]).includes("active and listening"));
  });
}

Deno.test("notify: status, reload and end", async () => {
  await using lab = await Lab.create();
  const [target, scanner] = [await lab.host(), await lab.host()];
  using systemd = new Systemd();
  await using daemon = await Daemon.start(target, { config: BLOCKING, env: systemd.env });
  scan(scanner, target.ipv4);
  await banOf(daemon, scanner.ipv4);
  await systemd.heard(/^STATUS=Engine kernel; 1 ban in force, 1 made since start$/);

  for (
    const [what, text, says] of [
      ["a good configuration", configText(daemon.directory, BLOCKING), "was read anew"],
      ["a bad one", "[tcp]\nresponce = 1\n", "was not changed"],
    ] as const
  ) {
    const before = systemd.messages().length;
    await Deno.writeTextFile(`${daemon.directory}/config.toml`, text);
    daemon.process.kill("SIGHUP");
    const reloading = await systemd.heard(/^RELOADING=1\n/, before);
    const told = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reloading.text)?.[1]) / 1e6;
    const uptime = Number((await Deno.readTextFile("/proc/uptime")).split(" ")[0]);
    // The uptime has two decimals.
    assert.ok(told > uptime - 20 && told < uptime + 0.01, `${what}: ${told} at ${uptime}`);
    const ready = await systemd.heard(/^READY=1\nSTATUS=Engine kernel; 1 ban in force/, before);
    const order = systemd.messages().map(({ text }) => text);
    assert.ok(order.indexOf(reloading.text) < order.lastIndexOf(ready.text), what);
    await daemon.line(what, (line) => String(line["message"]).includes(says));
  }

  const before = systemd.messages().length;
  assert.equal(await daemon.stop(), 0);
  await systemd.heard(/^STOPPING=1$/m, before);
  const last = systemd.messages().at(-1);
  assert.match(last?.text ?? "", /^STOPPING=1$/m, "nothing is said behind it");
});

Deno.test("notify: signs of life come twice as often as they must, and end when the daemon hangs", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using systemd = new Systemd();
  await using daemon = await Daemon.start(target, { env: systemd.env });
  await until("some signs of life", () => systemd.pings().length >= 5, 20);
  const times = systemd.pings().map(({ at }) => at);
  const gaps = times.slice(1).map((at, i) => at - (times[i] ?? at));
  const average = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  assert.ok(average > WATCHDOG_SECONDS / 4 && average < WATCHDOG_SECONDS * 0.75, `every ${average} s`);
  assert.ok(Math.max(...gaps) < WATCHDOG_SECONDS, `${Math.max(...gaps)} s without a sign`);

  daemon.process.kill("SIGSTOP");
  systemd.messages();
  await until(
    "it stands still",
    async () => /^State:\s+T/m.test(await Deno.readTextFile(`/proc/${daemon.process.pid}/status`)),
  );
  const before = systemd.messages().length;
  await new Promise((resolve) => setTimeout(resolve, WATCHDOG_SECONDS * 1500));
  assert.equal(systemd.messages().length, before, "a daemon that hangs says that it is alive");
  daemon.process.kill("SIGCONT");
  await systemd.heard(/^WATCHDOG=1$/, before);
});

Deno.test("notify: signs of life for another process are not given, and without systemd nothing is said", async () => {
  await using lab = await Lab.create();
  const target = await lab.host();
  using systemd = new Systemd();
  await using daemon = await Daemon.start(target, { env: { ...systemd.env, WATCHDOG_PID: "1" } });
  await systemd.heard(/^READY=1$/m);
  const status = await systemd.heard(/^STATUS=/);
  await systemd.heard(/^STATUS=/, systemd.messages().indexOf(status) + 1);
  assert.deepEqual(systemd.pings(), []);
  assert.equal(await daemon.stop(), 0);
});
