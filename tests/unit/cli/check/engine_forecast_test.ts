import assert from "node:assert/strict";
import { type EngineChoice, forecastEngine } from "../../../../src/cli/check/engine_forecast.ts";
import { configSchema } from "../../../../src/config/schema.ts";

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Case {
  readonly config: Sections;
  /** What the host has; by default everything works. */
  readonly hasNft?: false;
  readonly mayTry?: false;
  readonly fails?: readonly ("kernel" | "raw")[];
  readonly gives: Pick<EngineChoice, "engine" | "failure">;
}

const BLOCK: Sections = { tcp: { response: "block" } };
const CONNECT: Sections = { tcp: { mode: "connect", response: "block" }, udp: { mode: "off" } };
const RAW: Sections = { detect: { engine: "raw" } };
const KERNEL: Sections = { detect: { engine: "kernel" } };

Deno.test("forecastEngine follows detect.engine, and otherwise what works", async () => {
  const cases: readonly Case[] = [
    { config: {}, gives: { engine: "kernel" } },
    { config: BLOCK, gives: { engine: "kernel" } },
    { config: {}, hasNft: false, gives: { engine: "raw" } },
    { config: {}, mayTry: false, gives: { engine: "unknown" } },
    { config: {}, fails: ["kernel"], gives: { engine: "raw" } },
    { config: BLOCK, fails: ["kernel"], gives: { engine: "raw" } },
    { config: BLOCK, fails: ["kernel", "raw"], gives: { engine: "raw", failure: "no raw" } },
    { config: {}, fails: ["kernel", "raw"], gives: { engine: "raw" } },
    {
      config: { ...BLOCK, actions: { firewall: "iptables" } },
      fails: ["kernel", "raw"],
      gives: { engine: "raw" },
    },
    { config: KERNEL, gives: { engine: "kernel" } },
    { config: KERNEL, mayTry: false, gives: { engine: "kernel" } },
    { config: KERNEL, hasNft: false, gives: { engine: "kernel" } },
    { config: KERNEL, fails: ["kernel"], gives: { engine: "kernel", failure: "no kernel" } },
    { config: RAW, gives: { engine: "raw" } },
    { config: { ...RAW, ...BLOCK }, fails: ["raw"], gives: { engine: "raw", failure: "no raw" } },
    { config: { ...RAW, ...BLOCK }, fails: ["raw"], mayTry: false, gives: { engine: "raw" } },
    { config: CONNECT, gives: { engine: "none" } },
    { config: CONNECT, fails: ["raw"], gives: { engine: "none", failure: "no raw" } },
    { config: { ...CONNECT, detect: { icmp: true } }, gives: { engine: "kernel" } },
  ];
  for (const { config, hasNft = true, mayTry = true, fails = [], gives } of cases) {
    const { engine, failure, why } = await forecastEngine(configSchema(() => undefined).parse(config), {
      hasNft,
      mayTry,
      rehearse: (tried) => Promise.resolve(fails.includes(tried) ? `no ${tried}` : undefined),
    });
    const expected = { engine: gives.engine, failure: gives.failure };
    assert.deepEqual({ engine, failure }, expected, JSON.stringify({ config, hasNft, mayTry, fails }));
    assert.ok(why.length > 0);
  }
});

Deno.test("forecastEngine says why it is not the kernel engine", async () => {
  const { why } = await forecastEngine(configSchema(() => undefined).parse({}), {
    hasNft: true,
    mayTry: true,
    rehearse: () => Promise.resolve("the kernel lacks nf_tables"),
  });
  assert.equal(why, "the kernel lacks nf_tables");
});
