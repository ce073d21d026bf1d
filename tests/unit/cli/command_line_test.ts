import { parse } from "@optique/core/parser";
import assert from "node:assert/strict";
import type { Command } from "../../../src/cli/command.ts";
import { commandLine, translatePortsentryArguments } from "../../../src/cli/command_line.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";

function understood(...args: readonly string[]): Command {
  const result = parse(commandLine, args);
  assert.ok(result.success, args.join(" "));
  return result.value;
}

Deno.test("C6: translatePortsentryArguments starts the modes that PortSentry's command line names", () => {
  assert.deepEqual(translatePortsentryArguments(["-atcp", "-audp"]), [
    "run",
    "--mode",
    "atcp",
    "--mode",
    "audp",
  ]);
  for (const mode of ["tcp", "udp", "stcp", "sudp", "atcp", "audp"]) {
    assert.deepEqual(translatePortsentryArguments([`-${mode}`]), ["run", "--mode", mode]);
  }
  assert.deepEqual(
    translatePortsentryArguments(["-atcp", "-c", "x.conf", "-audp"]),
    ["run", "--mode", "atcp", "-c", "x.conf", "--mode", "audp"],
  );
});

Deno.test("translatePortsentryArguments leaves every other command line alone", () => {
  for (const args of [[], ["run"], ["run", "-atcp"], ["--atcp"], ["-xtcp"], ["status", "-c", "x"]]) {
    assert.deepEqual(translatePortsentryArguments(args), args);
  }
});

Deno.test("commandLine understands each verb", () => {
  assert.equal(understood("run", "--dry-run").verb, "run");
  assert.equal(understood("check", "-c", "x.toml", "--json").verb, "check");
  assert.equal(
    understood("convert", "old.conf", "--ignore", "a", "--ignore", "b", "-o", "new.toml").verb,
    "convert",
  );
  assert.equal(
    understood("replay", "x.pcap", "--local", "192.0.2.1,2001:db8::1", "--open", "22,80-90").verb,
    "replay",
  );
  for (const verb of ["status", "list", "top", "reload"]) assert.equal(understood(verb).verb, verb);
});

Deno.test("commandLine gives block and unblock their target, time and reason", () => {
  const block = understood("block", "192.0.2.77/24", "--for", "2h", "--reason", "noise");
  assert.ok(block.verb === "block");
  assert.equal(formatPrefix(block.target), "192.0.2.0/24");
  assert.equal(block.seconds, 7200);
  assert.equal(block.reason, "noise");
  const permanent = understood("block", "2001:db8::1", "--for", "permanent");
  assert.ok(permanent.verb === "block" && permanent.seconds === Infinity);
  const all = understood("unblock", "--all");
  assert.ok(all.verb === "unblock" && all.target === "all");
});

Deno.test("commandLine refuses what it does not understand", () => {
  const wrong = [
    [],
    ["lst"],
    ["why"],
    ["why", "1.2.3"],
    ["why", "example.org"],
    ["block", "1.2.3.4/33"],
    ["block", "1.2.3.4", "--for", "2"],
    ["unblock"],
    ["unblock", "--all", "1.2.3.4"],
    ["replay", "x.pcap"],
    ["replay", "x.pcap", "--local", "nobody"],
    ["replay", "x.pcap", "--local", "192.0.2.1", "--open", "99999"],
    ["run", "--mode", "ntcp"],
    ["status", "--jsn"],
  ];
  for (const args of wrong) assert.equal(parse(commandLine, args).success, false, args.join(" "));
});
