import assert from "node:assert/strict";
import { configSchema } from "../../src/config/schema.ts";
import { EXIT, UserError } from "../../src/errors.ts";
import { type Capability, requirePrivileges, requireTeardownPrivileges } from "../../src/privileges.ts";

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function complaint(
  sections: Sections,
  held: readonly Capability[],
  dryRun = false,
): readonly Capability[] {
  const config = configSchema(() => undefined).parse(sections);
  try {
    requirePrivileges(config, { dryRun, has: (name) => held.includes(name) });
    return [];
  } catch (error) {
    assert.ok(error instanceof UserError);
    assert.equal(error.exitCode, EXIT.permission);
    const lacks = error.message.split(";")[0] ?? "";
    return (["CAP_NET_ADMIN", "CAP_NET_RAW"] as const).filter((name) => lacks.includes(name));
  }
}

Deno.test("requirePrivileges names every capability that a configuration needs and the process lacks", () => {
  const BLOCK = { tcp: { response: "block" } };
  const BOTH: readonly Capability[] = ["CAP_NET_ADMIN", "CAP_NET_RAW"];
  const OFF = { tcp: { mode: "off" }, udp: { mode: "connect" } };
  const table: readonly (readonly [Sections, held: readonly Capability[], lacks: readonly Capability[]])[] = [
    [{}, BOTH, []],
    [{}, ["CAP_NET_ADMIN"], []],
    [{}, ["CAP_NET_RAW"], []],
    [{}, [], ["CAP_NET_RAW"]],
    [BLOCK, [], BOTH],
    [BLOCK, ["CAP_NET_RAW"], ["CAP_NET_ADMIN"]],
    [BLOCK, ["CAP_NET_ADMIN"], []],
    [{ udp: { response: "block" } }, [], BOTH],
    [{ detect: { engine: "kernel" } }, ["CAP_NET_RAW"], ["CAP_NET_ADMIN"]],
    [{ detect: { engine: "raw" } }, ["CAP_NET_ADMIN"], ["CAP_NET_RAW"]],
    [{ ...BLOCK, detect: { engine: "raw" } }, [], BOTH],
    [{ ...BLOCK, actions: { firewall: "none" }, detect: { engine: "raw" } }, [], ["CAP_NET_RAW"]],
    [{ ...BLOCK, actions: { firewall: "iptables" } }, ["CAP_NET_ADMIN"], ["CAP_NET_RAW"]],
    [OFF, [], []],
    [{ ...OFF, udp: { mode: "connect", response: "block" } }, [], ["CAP_NET_ADMIN"]],
    [{ ...OFF, detect: { icmp: true } }, [], ["CAP_NET_RAW"]],
  ];
  for (const [sections, held, lacks] of table) {
    assert.deepEqual(complaint(sections, held), lacks, JSON.stringify([sections, held]));
  }
});

Deno.test("requirePrivileges asks for packet sockets only when nothing is changed", () => {
  const sections = { tcp: { response: "block" }, detect: { engine: "kernel" } };
  assert.deepEqual(complaint(sections, [], true), ["CAP_NET_RAW"]);
  assert.deepEqual(complaint(sections, ["CAP_NET_RAW"], true), []);
});

Deno.test("requireTeardownPrivileges refuses before any program could seem to find nothing", () => {
  requireTeardownPrivileges((name) => name === "CAP_NET_ADMIN");
  assert.throws(() => requireTeardownPrivileges(() => false), /CAP_NET_ADMIN .*run it as root$/);
});
