/** The configurations whose rulesets are kept as golden files, and the plans made from them. @module */
import { configSchema } from "../../../../src/config/schema.ts";
import { type RulesetPlan, rulesetPlan } from "../../../../src/respond/nftables/plan.ts";

/** The golden files of tests/fixtures/nftables, without `.nft`. */
export const PLANS: Readonly<Record<string, RulesetPlan>> = {
  observe: plan({}),
  quarantine: plan({ tcp: { response: "block" }, udp: { response: "block" }, detect: { icmp: true } }),
  first_probe: plan({
    tcp: { response: "block" },
    detect: { scan_trigger: 0, position: "after-firewall" },
    block: { quarantine: "0s", max_active: 1000, rate: 50 },
  }),
  raw_engine: plan({ tcp: { response: "block" } }, { engine: "raw" }),
  all_udp_conntrack: plan({
    tcp: { mode: "off" },
    udp: { advanced_below: 65536, exclude: [], response: "block" },
  }, { conntrack: true }),
};

/** The plan of a configuration file. */
export function plan(
  file: unknown,
  facts: { readonly engine?: "kernel" | "raw"; readonly conntrack?: boolean } = {},
): RulesetPlan {
  return rulesetPlan(configSchema(() => undefined).parse(file), {
    engine: facts.engine ?? "kernel",
    conntrack: facts.conntrack ?? false,
    ephemeral: { first: 32768, last: 60999 },
  });
}
