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

Deno.test("commandLine takes the open ports of a capture's host by protocol", () => {
  const open = (ports: string) => {
    const command = understood("replay", "x.pcap", "--open", ports);
    assert.ok(command.verb === "replay");
    return [command.open?.tcp?.toString(), command.open?.udp?.toString()];
  };
  assert.deepEqual(open("22,80-90"), ["22,80-90", undefined]);
  assert.deepEqual(open("udp:514"), [undefined, "514"]);
  assert.deepEqual(open("22,udp:500-501,80,udp:53"), ["22,80", "53,500-501"]);
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
    ["replay", "x.pcap", "--local", "nobody"],
    ["replay", "x.pcap", "--local", "192.0.2.1", "--open", "99999"],
    ["replay", "x.pcap", "--local", "192.0.2.1", "--open", "udp:"],
    ["replay", "x.pcap", "--local", "192.0.2.1", "--open", "tcp:80"],
    ["run", "--mode", "ntcp"],
    ["status", "--jsn"],
  ];
  for (const args of wrong) assert.equal(parse(commandLine, args).success, false, args.join(" "));
});
