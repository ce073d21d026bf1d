/**
 * Bans as the verbs print them, whether the daemon is asked or its state file is read.
 * @module
 */
import { formatPrefix } from "../net/prefix.ts";
import type { ActiveBan, BanStory } from "../record/state/ban.ts";
import type { Outcome } from "../respond/backend.ts";
import { reasonText } from "./reason_text.ts";
import type { BanView, OffenceView, OutcomeView } from "./views.ts";

/** A ban in force. `now`: seconds since the epoch. */
export function banView(ban: ActiveBan, now: number): BanView {
  const permanent = ban.secondsLeft === Infinity;
  const left = Math.max(0, Math.round(ban.secondsLeft));
  return {
    target: formatPrefix(ban.target),
    since: ban.since,
    until: permanent ? null : Math.round(now + ban.secondsLeft),
    left: permanent ? null : left,
    offence: ban.offence,
    reason: reasonText(ban.reason, ban.ports),
    ports: ban.ports,
  };
}

/** A ban, past or present. */
export function offenceView(ban: BanStory): OffenceView {
  return {
    target: formatPrefix(ban.target),
    since: ban.since,
    until: ban.until ?? null,
    ended: ban.ended ?? null,
    offence: ban.offence,
    reason: ban.note === undefined
      ? reasonText(ban.reason, ban.ports)
      : `${reasonText(ban.reason, ban.ports)}: ${ban.note}`,
    evidence: ban.evidence.map(({ time, protocol, port, scan }) => ({ time, protocol, port, scan })),
    outcomes: ban.outcomes.map(outcomeView),
    undone: ban.releaseOutcomes.map(outcomeView),
  };
}

/** What one action did. */
export function outcomeView(outcome: Outcome): OutcomeView {
  const detail = outcome.ok ? outcome.detail ?? "" : outcome.error;
  return { action: outcome.action, ok: outcome.ok, detail };
}
