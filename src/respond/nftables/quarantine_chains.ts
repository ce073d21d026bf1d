/**
 * The chains that keep sources in quarantine from opening anything new.
 * @module
 */
import { NFLOG_GROUP } from "../../capture/nflog.ts";
import { both, type Chain, HAS_SOCKET, NOT_SCTP_INIT, portsText, REPEAT_KEY } from "./chain.ts";
import { type RulesetPlan, seizes, type TrapPlan } from "./plan.ts";
import { COUNTERS } from "./sets.ts";

/** What is sent on to others is held up where most firewalls have not yet looked at it, as in the trap. */
const FORWARD_PRIORITY = -10;

/** `quarantine`, which `trap` jumps to, and what holds up forwarded packets. */
export function quarantineChains(plan: RulesetPlan): readonly Chain[] {
  return [
    quarantineChain(plan),
    ...(plan.trap === undefined ? [] : [heldChain(plan)]),
    forwardChain(),
    heldForwardChain(plan),
  ];
}

/** Whatever returns from here goes the normal way. */
function quarantineChain(plan: RulesetPlan): Chain {
  const { first, last } = plan.ephemeral;
  return {
    name: "quarantine",
    comment: "sources in quarantine may open nothing new; what they have open goes on",
    rules: [
      "meta l4proto != { tcp, udp, sctp } return",
      'tcp flags & (ack | rst) != 0 return comment "belongs to something or ends it"',
      `${NOT_SCTP_INIT} return`,
      plan.conntrack
        ? "ct state established,related return"
        : `udp dport ${first}-${last} ${HAS_SOCKET} return comment "an answer to this host"`,
      ...(plan.trap === undefined ? [] : evidenceRules(plan.trap)),
      "drop",
    ],
  };
}

/** Trapped probes of a source in quarantine are what it earns its ban with; tries of open ports are not. */
function evidenceRules({ ports }: TrapPlan): readonly string[] {
  return [
    ...(ports.udp.size > 0 ? both("ADDR saddr . udp sport . udp dport @asked# return") : []),
    `${HAS_SOCKET} drop comment "an open port: shut for the moment, and no evidence"`,
    "fib daddr type != local drop",
    "meta l4proto . th dport @graced drop",
    ...both("ADDR daddr . meta l4proto . th dport @graced# drop"),
    ...(["tcp", "udp", "sctp"] as const).filter((protocol) => ports[protocol].size > 0)
      .map((protocol) => `${protocol} dport ${portsText(ports[protocol])} goto held`),
  ];
}

/** A port that was asked for in quarantine brings no second quarantine when it is over. */
function heldChain(plan: RulesetPlan): Chain {
  const { rate } = plan;
  return {
    name: "held",
    comment: "further probes of sources in quarantine: reported, not answered",
    rules: [
      `counter name ${COUNTERS.held} log group ${NFLOG_GROUP.held}`,
      ...(seizes(plan, "quarantine")
        ? both(`limit rate ${rate}/second burst ${rate} packets update @repeat# { ${REPEAT_KEY} }`)
        : []),
      "drop",
    ],
  };
}

function forwardChain(): Chain {
  return {
    name: "forward",
    comment: "the quarantine, for what this host sends on to others",
    hook: { name: "forward", priority: FORWARD_PRIORITY },
    rules: both(
      "ADDR saddr @quarantined# ADDR saddr != @ignored# ADDR saddr != @protected# goto held_forward",
    ),
  };
}

/** Without connection tracking nobody knows whether a forwarded datagram opens anything, so it passes. */
function heldForwardChain({ conntrack }: RulesetPlan): Chain {
  return {
    name: "held_forward",
    comment: "sources in quarantine open nothing behind this host either",
    rules: [
      ...(conntrack ? ["ct state established,related accept"] : []),
      "tcp flags & (ack | rst) == 0 drop",
      "meta l4proto sctp @th,96,8 == 1 drop",
      ...(conntrack ? ["meta l4proto udp drop"] : []),
    ],
  };
}
