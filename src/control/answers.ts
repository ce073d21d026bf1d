/**
 * What the daemon answers to each request of the control socket.
 * @module
 */
import type { Bans, Change } from "../bans.ts";
import type { Config } from "../config/schema.ts";
import { EXIT, UserError } from "../errors.ts";
import type { Address } from "../net/address.ts";
import { formatAddress, parseAddress } from "../net/address.ts";
import { formatPrefix, isHostPrefix, parsePrefix, type Prefix, prefixContains } from "../net/prefix.ts";
import { quantity } from "../quantity.ts";
import { banResult } from "../record/event.ts";
import type { State } from "../record/state/state.ts";
import { banSeconds } from "../respond/ban_length.ts";
import { banView, offenceView, outcomeView } from "./ban_views.ts";
import type { Request, RequestOf } from "./protocol.ts";
import { standingText } from "./standing.ts";
import type {
  BanView,
  ChangeView,
  EvidenceView,
  ReloadView,
  SourceView,
  StatusView,
  StoryView,
} from "./views.ts";

/** What of the daemon the answers are made from. */
export interface AnswerParts {
  /** The bans. */
  readonly bans: Pick<Bans, "list" | "has" | "holds" | "targets" | "impose" | "release">;
  /** The state database. */
  readonly state: Pick<State, "find" | "active">;
  /** The configuration. */
  readonly config: Config;
  /** Now, in seconds since the epoch. */
  readonly now: number;
  /** What the daemon is doing. */
  readonly status: () => StatusView;
  /** The sources with the most probes, the busiest first. */
  readonly top: () => readonly SourceView[];
  /** Why an address is never banned, or `undefined`. */
  readonly exempt: (address: Address) => string | undefined;
  /** The addresses that are never banned. */
  readonly exemptAddresses: () => readonly Address[];
  /** The probes that count against an address at this moment. */
  readonly pending: (address: Address) => readonly EvidenceView[];
  /** Reads the configuration anew. Rejects, and keeps the old one, when it is wrong. */
  readonly reload: () => Promise<ReloadView>;
}

/** The data lines of the answer. Throws UserError for what cannot be done. */
export async function answer(request: Request, parts: AnswerParts): Promise<Iterable<unknown>> {
  switch (request.verb) {
    case "status":
      return [parts.status()];
    case "list":
      return views(parts);
    case "top":
      return parts.top();
    case "why":
      return [story(addressIn(request.address), parts)];
    case "block":
      return [await block(request, parts)];
    case "unblock":
      return await unblock(request, parts);
    case "reload":
      return [await parts.reload()];
  }
}

function* views({ bans, now }: AnswerParts): Iterable<BanView> {
  for (const ban of bans.list()) yield banView(ban, now);
}

function story(address: Address, parts: AnswerParts): StoryView {
  const blocked = parts.bans.has(address);
  const exempt = parts.exempt(address);
  const pending = parts.pending(address);
  const standing = blocked || exempt !== undefined ? undefined : standingText(pending, parts.config);
  return {
    address: formatAddress(address),
    blocked,
    exempt: exempt ?? null,
    standing: standing ?? null,
    offences: parts.state.find(address).map(offenceView),
    pending,
  };
}

async function block(request: RequestOf<"block">, parts: AnswerParts): Promise<ChangeView> {
  const target = prefixIn(request.target);
  const reason = exemption(target, parts);
  if (reason !== undefined && !request.force) {
    throw new UserError(`${formatPrefix(target)} is never banned (${reason}); --force bans it all the same`, {
      exitCode: EXIT.usage,
    });
  }
  const seconds = request.seconds === undefined
    ? banSeconds(parts.config.block, 1)
    : request.seconds === null
    ? undefined
    : request.seconds;
  const change = await parts.bans.impose({
    target,
    seconds,
    ...(request.reason === undefined ? {} : { note: request.reason }),
  });
  const isDone = banResult(change.outcomes) !== "failed";
  const until = seconds === undefined ? null : Math.round(parts.now + seconds);
  return { ...changeView(change, isDone), ...(isDone ? { until } : {}) };
}

async function unblock(request: RequestOf<"unblock">, parts: AnswerParts): Promise<readonly ChangeView[]> {
  const targets = request.target === "all" ? parts.bans.targets() : [banned(prefixIn(request.target), parts)];
  const changes = await parts.bans.release(targets, "unblocked");
  return changes.map((change) => changeView(change, change.outcomes.every((outcome) => outcome.ok)));
}

function banned(target: Prefix, parts: AnswerParts): Prefix {
  if (parts.bans.holds(target)) return target;
  const hint = nearMiss(target, Array.from(parts.state.active(), (ban) => ban.target));
  throw new UserError(`${formatPrefix(target)} is not blocked${hint}`, { exitCode: EXIT.unavailable });
}

/** Which bans may have been meant. */
function nearMiss(target: Prefix, bans: readonly Prefix[]): string {
  const around = bans.find((ban) => ban.length < target.length && prefixContains(ban, target.address));
  if (around !== undefined) return `, but ${formatPrefix(around)} around it is; unblock that`;
  const inside = bans.filter((ban) => prefixContains(target, ban.address)).length;
  if (inside === 0) return "";
  return `, but ${quantity(inside, "ban inside it is", "bans inside it are")} in force; see: portsnare list`;
}

function exemption(target: Prefix, parts: AnswerParts): string | undefined {
  if (isHostPrefix(target)) return parts.exempt(target.address);
  const inside = parts.exemptAddresses().find((address) => prefixContains(target, address));
  return inside === undefined
    ? undefined
    : `it holds ${formatAddress(inside)}: ${parts.exempt(inside) ?? "protected"}`;
}

function changeView(change: Change, done: boolean): ChangeView {
  return { target: formatPrefix(change.target), done, outcomes: change.outcomes.map(outcomeView) };
}

function addressIn(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) {
    throw new UserError(`${JSON.stringify(text)} is not an address`, { exitCode: EXIT.usage });
  }
  return address;
}

function prefixIn(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    throw new UserError(`${JSON.stringify(text)} is not an address or prefix`, { exitCode: EXIT.usage });
  }
  return prefix;
}
