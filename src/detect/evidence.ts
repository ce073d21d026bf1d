/**
 * Stage "judge", first half: does a probe say anything about its source at all?
 *
 * The questions are in the order of their cost; the last one is asked of the kernel (4 µs) and only about probes that
 * every other question let through.
 * @module
 */
import type { Trap } from "../config/trap.ts";
import { isAckType } from "../decode/classify.ts";
import type { Probe } from "../decode/probe.ts";
import { type Address, isLoopback, isMulticastOrBroadcast, isUnspecified } from "../net/address.ts";
import type { AskedQuestions } from "./asked.ts";
import type { IrrelevantReason } from "./decision.ts";

/** What only the host knows about a source and a destination. */
export interface EvidenceFacts {
  /** Whether this is a unicast address of this host. */
  isOwn(address: Address): boolean;
  /** Whether a packet to this address is for this host. */
  isForUs(dest: Address): boolean;
  /** Whether this host makes its own connections from this port. */
  isClientPort(port: number): boolean;
  /** Whether the port lost its listener within `detect.grace`. */
  inGrace(probe: Probe): boolean;
  /** Whether a local socket owns the port, or the packet is translated to somewhere else. Asked last. */
  isServed(probe: Probe): boolean;
}

/** Why this probe says nothing about its source, or `undefined` when it does. */
export function whyIrrelevant(probe: Probe, host: {
  readonly trap: Trap;
  readonly facts: EvidenceFacts;
  readonly asked: AskedQuestions;
}): IrrelevantReason | undefined {
  if (isMulticastOrBroadcast(probe.dest)) return "broadcast";
  const claim = whyNobody(probe.source, host.facts);
  if (claim !== undefined) return claim;
  if (!host.facts.isForUs(probe.dest)) return "not-for-us";
  if (!isTrapped(probe, host.trap)) return "untrapped";
  if (isReply(probe, host)) return "reply";
  if (host.facts.inGrace(probe)) return "grace";
  return host.facts.isServed(probe) ? "served" : undefined;
}

/** Why there is nobody behind this source address who could be banned, or `undefined`. */
export function whyNobody(source: Address, facts: EvidenceFacts): IrrelevantReason | undefined {
  if (isUnspecified(source) || isMulticastOrBroadcast(source)) return "bogus-source";
  return isLoopback(source) || facts.isOwn(source) ? "own-source" : undefined;
}

/** Whether the configuration traps what this probe asked for. */
export function isTrapped(probe: Probe, trap: Trap): boolean {
  return probe.protocol === "icmp" ? trap.icmp : trap[probe.protocol].has(probe.port);
}

function isReply(
  probe: Probe,
  { facts, asked }: { readonly facts: EvidenceFacts; readonly asked: AskedQuestions },
): boolean {
  // What is still on its way when we break off a download: whoever serves us would be banned after the third.
  if (isAckType(probe.scan)) return facts.isClientPort(probe.port);
  if (probe.protocol !== "udp") return false;
  const exchange = { remote: probe.source, remotePort: probe.sourcePort, localPort: probe.port };
  return asked.answers(exchange, probe.time);
}
