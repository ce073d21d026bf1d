/**
 * The chains that hold the trap: which packets are probes, and what the kernel does about their sources by itself.
 *
 * The order within a chain is by cost: what most packets of a busy host are comes first and leaves first.
 * @module
 */
import { NFLOG_GROUP } from "../../capture/nflog.ts";
import type { PortSet } from "../../net/ports.ts";
import { both, type Chain, HAS_SOCKET, NOT_SCTP_INIT, portsText, REPEAT_KEY } from "./chain.ts";
import { type RulesetPlan, seizes, type Seizure, type TrapPlan } from "./plan.ts";
import { COUNTERS } from "./sets.ts";

/** The chains behind `trap`, the one that the input hook enters. */
export function trapChains(plan: RulesetPlan, trap: TrapPlan): readonly Chain[] {
  const { ports } = trap;
  const chains = [
    ...(ports.tcp.size > 0 ? [tcpChain(trap)] : []),
    ...(ports.udp.size > 0 ? [udpChain(trap), askedChain(ports.udp)] : []),
    ...(ports.sctp.size > 0 ? [sctpChain(trap)] : []),
    ...(ports.icmp ? [icmpChain()] : []),
    ...(ports.tcp.size + ports.udp.size + ports.sctp.size > 0 ? [sparedChain()] : []),
  ];
  const seizing = seizes(plan, "ban") || seizes(plan, "quarantine");
  return seizing ? [...chains, seizeChain(plan)] : chains;
}

/** The rules of `trap` that send a packet on to the chain of its protocol. */
export function dispatchRules(trap: TrapPlan): readonly string[] {
  const { ports } = trap;
  return [
    ...(ports.tcp.size > 0 ? ["meta l4proto tcp goto trap_tcp"] : []),
    ...(ports.udp.size > 0 ? ["meta l4proto udp goto trap_udp"] : []),
    ...(ports.sctp.size > 0 ? ["meta l4proto sctp goto trap_sctp"] : []),
    ...(ports.icmp ? ["meta l4proto { icmp, icmpv6 } goto trap_icmp"] : []),
  ];
}

function tcpChain({ ports, tcp }: TrapPlan): Chain {
  return {
    name: "trap_tcp",
    comment: "TCP to ports that nobody serves",
    rules: [
      `tcp dport != ${portsText(ports.tcp)} accept`,
      'tcp flags & rst == rst accept comment "ends or answers something: asks nothing"',
      'tcp flags & (syn | ack) == (syn | ack) accept comment "an answer, or backscatter of a forged flood"',
      `${HAS_SOCKET} accept comment "a service owns the port"`,
      "jump spared",
      `tcp flags & ack == ack ${report} accept comment "may be a late packet: told, nobody is seized for it"`,
      ...reported(tcp),
    ],
  };
}

function udpChain({ ports, udp }: TrapPlan): Chain {
  return {
    name: "trap_udp",
    comment: "UDP to ports that nobody serves",
    rules: [
      `udp dport != ${portsText(ports.udp)} accept`,
      `${HAS_SOCKET} accept comment "a service owns the port"`,
      ...both('ADDR saddr . udp sport . udp dport @asked# accept comment "answers what this host asked"'),
      "jump spared",
      ...reported(udp),
    ],
  };
}

function sctpChain({ ports, tcp }: TrapPlan): Chain {
  return {
    name: "trap_sctp",
    comment: "SCTP to ports that nobody serves",
    rules: [
      `${NOT_SCTP_INIT} accept comment "only INIT asks for something"`,
      `sctp dport != ${portsText(ports.sctp)} accept`,
      "jump spared",
      ...reported(tcp),
    ],
  };
}

/** Nobody is seized here: one ping is no scan, and the daemon counts the different kinds. */
function icmpChain(): Chain {
  return {
    name: "trap_icmp",
    comment: "ICMP requests",
    rules: [
      "icmp type != { echo-request, timestamp-request, info-request, address-mask-request } accept",
      "icmpv6 type != echo-request accept",
      "fib daddr type != local accept",
      `${report} accept`,
    ],
  };
}

function sparedChain(): Chain {
  return {
    name: "spared",
    comment: "what is no probe although nobody owns the port",
    rules: [
      'fib daddr type != local accept comment "not aimed at this host"',
      'meta l4proto . th dport @graced accept comment "has a listener, or had one lately"',
      ...both("ADDR daddr . meta l4proto . th dport @graced# accept"),
    ],
  };
}

/** Only datagrams from trapped ports are remembered, and of those only what no service of ours sends. */
function askedChain(ports: PortSet): Chain {
  return {
    name: "asked",
    comment: "whom this host asks from a trapped UDP port: the answer is no probe",
    hook: { name: "output", priority: 0 },
    rules: [
      "meta l4proto != udp accept",
      `udp sport != ${portsText(ports)} accept`,
      "meta l4proto . udp sport @graced accept",
      ...both("update @asked# { ADDR daddr . udp dport . udp sport }"),
    ],
  };
}

/**
 * What is done to the source. At each bound nothing is added and the packet has been reported all the same: the source
 * is caught at its next probe. A full set ends its rule, so that what follows a set update is for those who got in.
 */
function seizeChain(plan: RulesetPlan): Chain {
  const unseized = `counter name ${COUNTERS.unseized} accept`;
  const slow = `limit rate over ${plan.rate}/second burst ${plan.rate} packets ` +
    `${unseized} comment "block.rate: not more sources a second"`;
  const full = `${unseized} comment "block.max_active: not more sources at once"`;
  const spare = both('ADDR saddr @protected# accept comment "reported, never held"');
  if (seizes(plan, "ban")) {
    return {
      name: "seize",
      comment: "the first probe bans; the daemon confirms it or it runs out",
      rules: [...spare, slow, ...both("add @seized# { ADDR saddr } accept"), full],
    };
  }
  return {
    name: "seize",
    comment: "the second packet of a scan is dropped already",
    rules: [
      ...spare,
      ...both(
        `${REPEAT_KEY} @repeat# update @repeat# { ${REPEAT_KEY} } accept comment "the same closed port again"`,
      ),
      slow,
      ...both(`update @repeat# { ${REPEAT_KEY} }`),
      ...both("add @quarantined# { ADDR saddr } accept"),
      full,
    ],
  };
}

/** Count and report a trapped packet. */
const report = `counter name ${COUNTERS.trapped} log group ${NFLOG_GROUP.first}`;

function reported(seizure: Seizure): readonly string[] {
  return seizure === "none" ? [`${report} accept`] : [report, "goto seize"];
}
