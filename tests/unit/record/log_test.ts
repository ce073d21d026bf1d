/**
 * Which lines are logged, where, and in which form.
 * @module
 */
import assert from "node:assert/strict";
import { type LogOptions, openLog } from "../../../src/record/log.ts";
import { chooseTarget } from "../../../src/record/log_target.ts";
import { UnixReceiver } from "../../lab/unix_receiver.ts";

function capture(): { readonly stdout: { write(bytes: Uint8Array): Promise<number> }; text(): string } {
  let text = "";
  return {
    stdout: {
      write: (bytes) => {
        text += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      },
    },
    text: () => text,
  };
}

Deno.test("chooseTarget takes the journal, a terminal or syslog, whichever is there", () => {
  const [no, yes] = [false, true];
  const rows: readonly [Parameters<typeof chooseTarget>[0], boolean, boolean, boolean, string, string][] = [
    // wanted, journal, terminal, syslog, identity → target
    ["auto", yes, no, yes, "portsnare", "journal"],
    ["auto", yes, no, yes, "portsentry", "syslog"],
    ["auto", yes, no, no, "portsentry", "journal"],
    ["auto", no, yes, yes, "portsnare", "plain"],
    ["auto", no, no, yes, "portsnare", "syslog"],
    ["auto", no, no, no, "portsnare", "plain"],
    ["stdout", yes, no, yes, "portsentry", "journal"],
    ["stdout", no, no, yes, "portsnare", "plain"],
    ["syslog", yes, no, no, "portsnare", "syslog"],
    ["syslog", no, yes, yes, "portsnare", "syslog"],
  ];
  for (const [wanted, isJournal, isTerminal, hasSyslog, identity, target] of rows) {
    assert.equal(chooseTarget(wanted, { isJournal, isTerminal, hasSyslog, identity }), target);
  }
});

Deno.test("Log writes the lines of its level and above, as they are", async () => {
  const { stdout, text } = capture();
  await using log = openLog({ level: "notice", format: "text", target: "stdout", stdout });
  for (const level of ["debug", "info", "notice", "warning", "err"] as const) {
    log.write(level, `${level} {x} 100%`);
  }
  await log.flush();
  assert.equal(text(), "notice {x} 100%\nwarning {x} 100%\nerr {x} 100%\n");
  assert.deepEqual([log.isEnabled("info"), log.isEnabled("notice")], [false, true]);
});

Deno.test("Log under systemd puts the priority before each line", async () => {
  const program = `
    import { openLog } from ${JSON.stringify(import.meta.resolve("../../../src/record/log.ts"))};
    import { fstatSync } from "node:fs";
    const { dev, ino } = fstatSync(1);
    const log = openLog({ level: "debug", format: "text", target: "auto", journalStream: \`\${dev}:\${ino}\` });
    for (const level of ["debug", "info", "notice", "warning", "err"]) log.write(level, level);
    await log[Symbol.asyncDispose]();`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    cwd: new URL("../../..", import.meta.url),
  }).output();
  assert.equal(
    new TextDecoder().decode(stdout),
    "<7>debug\n<6>info\n<5>notice\n<4>warning\n<3>err\n",
    new TextDecoder().decode(stderr),
  );
});

Deno.test("C10: Log sends to syslog where there is no journal, and goes on while syslog is dead", async () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/log`;
  const options: LogOptions = {
    level: "notice",
    format: "text",
    target: "syslog",
    syslogPath: path,
    identity: "portsentry",
  };
  try {
    await using log = openLog(options);
    log.write("notice", "before");
    using receiver = new UnixReceiver(path);
    await log.flush();
    log.write("notice", "after");
    log.write("info", "never");
    const lines = receiver.received().map((line) => line.replace(/^<29>.* portsentry\[\d+\]: /, ""));
    assert.deepEqual(lines, ["before", "after"]);
    assert.deepEqual([log.target, log.lost], ["syslog", 0]);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("Log.reconfigure takes up level, format and target, and loses no line that waits", async () => {
  const directory = Deno.makeTempDirSync();
  const syslogPath = `${directory}/log`;
  const { stdout, text } = capture();
  try {
    const settings = { level: "notice", format: "text" } as const;
    await using log = openLog({ ...settings, target: "syslog", syslogPath, stdout });
    log.write("notice", "to syslog, which is not there");
    log.reconfigure({ level: "info", format: "json", target: "stdout" });
    assert.deepEqual([log.target, log.format, log.isEnabled("info")], ["plain", "json", true]);
    log.write("info", "to stdout");
    using receiver = new UnixReceiver(syslogPath);
    await log.flush();
    assert.equal(text(), "to stdout\n");
    assert.match(receiver.received().join(), /^<29>.*: to syslog, which is not there$/);
    log.reconfigure({ ...settings, target: "syslog" });
    log.write("info", "never");
    log.write("notice", "back");
    assert.match(receiver.received().join(), /^<29>.*: back$/);
    assert.equal(log.lost, 0);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
