/**
 * Bans as blackhole routes: this host answers a banned address nothing.
 *
 * Stage "act". The weakest of the backends: packets still come in (they are dropped on the way only where the kernel
 * checks reverse paths, rp_filter), but no connection can come about. It works where there is no firewall at all.
 * Our routes carry a protocol number of their own (rtnetlink(7), `RTPROT_*`; see /etc/iproute2/rt_protos), so that
 * nobody else's is ever taken for ours.
 * @module
 */
import { EXIT, UserError } from "../errors.ts";
import { familyOf } from "../net/address.ts";
import { formatPrefix, parsePrefix, type Prefix } from "../net/prefix.ts";
import { type Exec, type ExecResult, failureOf } from "../system/exec.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "./backend.ts";

/** Nobody's number in rt_protos: neither the kernel's, nor a routing daemon's that Debian packages. */
const ROUTE_PROTOCOL = "112";

const TIMEOUT_MS = 15_000;
/** A million routes as text. */
const LISTING_BYTES = 64 * 1024 * 1024;
const BATCH_ARGV: readonly string[] = ["ip", "-force", "-batch", "-"];

/** The line of `ip -batch` that bans. `add`, not `replace`: a route of the administrator's is never overwritten. */
export function addRouteLine(target: Prefix): string {
  return `route add ${routeOf(target)}`;
}

/** The line of `ip -batch` that releases. */
export function deleteRouteLine(target: Prefix): string {
  return `route del ${routeOf(target)}`;
}

/** The targets of our routes, from what `ip route show` printed. */
export function parseRoutes(listing: string): readonly Prefix[] {
  return listing.split("\n").flatMap((line) => {
    const match = /^blackhole (\S+)/.exec(line);
    const target = match?.[1] === undefined ? undefined : parsePrefix(match[1]);
    return target === undefined ? [] : [target];
  });
}

/** Which lines (from 0) `ip -force -batch` stumbled over, and why. */
export function failedRouteLines(stderr: string): ReadonlyMap<number, string> {
  const failed = new Map<number, string>();
  let reason = "refused";
  for (const line of stderr.split("\n")) {
    const match = /^Command failed .*:(\d+)$/.exec(line.trim());
    if (match === null) {
      if (line.trim() !== "") reason = line.trim().replace(/^RTNETLINK answers: /, "");
    } else failed.set(Number(match[1]) - 1, reason);
  }
  return failed;
}

/** What the backend is made from. */
export interface RouteOptions {
  /** Starts programs. */
  readonly exec: Exec;
}

/** The backend `route`. The kernel forgets no route by itself: every ban must be released. */
export class RouteBackend implements Backend {
  /** The name in the configuration and in outcomes. */
  readonly name = "route";
  readonly #exec: Exec;
  /** What is to be there, so that a flushed table is noticed. */
  readonly #made = new Set<string>();

  /** Changes nothing yet. */
  constructor(options: RouteOptions) {
    this.#exec = options.exec;
  }

  /** Nothing is to be made; what a previous run left is taken over. */
  async setup(): Promise<void> {
    this.#made.clear();
    for (const ban of await this.list()) this.#made.add(formatPrefix(ban.target));
  }

  /** Ban. */
  async block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    const targets = bans.map((ban) => ban.target);
    const there = await this.#there();
    if (typeof there === "string") return targets.map((target) => this.#outcome(target, there));
    const outcomes = await this.#batch(targets, (target) => !there.has(formatPrefix(target)), {
      line: addRouteLine,
      explain: (error) => error === "File exists" ? "another route to it exists" : error,
    });
    outcomes.forEach((outcome, index) => {
      const target = targets[index];
      if (outcome.ok && target !== undefined) this.#made.add(formatPrefix(target));
    });
    return outcomes;
  }

  /** Release. */
  async release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    const there = await this.#there();
    if (typeof there === "string") return targets.map((target) => this.#outcome(target, there));
    for (const target of targets) this.#made.delete(formatPrefix(target));
    return await this.#batch(targets, (target) => there.has(formatPrefix(target)), {
      line: deleteRouteLine,
      explain: (error) => error,
    });
  }

  /** What is enforced; the kernel knows no times, so that every ban counts as permanent. */
  async list(): Promise<readonly Ban[]> {
    const there = await this.#listing();
    return there.map((target) => ({ target, seconds: undefined }));
  }

  /** Whether every route of ours is still there. */
  async check(): Promise<BackendHealth> {
    const there = await this.#there();
    if (typeof there === "string") return { ok: false, missing: there };
    for (const target of this.#made) {
      if (!there.has(target)) return { ok: false, missing: `blackhole route to ${target}` };
    }
    return { ok: true };
  }

  /** Remove every route of ours. */
  async teardown(): Promise<void> {
    const targets = (await this.list()).map((ban) => ban.target);
    const failed = (await this.release(targets)).find((outcome) => !outcome.ok);
    if (failed !== undefined && !failed.ok) {
      throw new UserError(`Cannot remove the blackhole route to ${failed.detail}: ${failed.error}`);
    }
  }

  async #batch(
    targets: readonly Prefix[],
    isNeeded: (target: Prefix) => boolean,
    how: { readonly line: (target: Prefix) => string; readonly explain: (error: string) => string },
  ): Promise<readonly Outcome[]> {
    const needed = [...new Map(targets.filter(isNeeded).map((target) => [formatPrefix(target), target]))];
    if (needed.length === 0) return targets.map((target) => this.#outcome(target));
    const stdin = needed.map(([, target]) => `${how.line(target)}\n`).join("");
    const result = await this.#exec(BATCH_ARGV, { timeoutMs: TIMEOUT_MS, stdin });
    const failure = failureOf(result);
    const lines = failedRouteLines(result.stderr);
    const errors = new Map<string, string>();
    needed.forEach(([text], index) => {
      const error = failure !== undefined && lines.size === 0 ? failure : lines.get(index);
      if (error !== undefined) errors.set(text, how.explain(error));
    });
    return targets.map((target) => this.#outcome(target, errors.get(formatPrefix(target))));
  }

  /** What is there as text, or why that cannot be told. */
  async #there(): Promise<ReadonlySet<string> | string> {
    try {
      return new Set((await this.#listing()).map(formatPrefix));
    } catch (error) {
      if (error instanceof UserError) return error.message;
      throw error;
    }
  }

  async #listing(): Promise<readonly Prefix[]> {
    const targets: Prefix[] = [];
    for (const family of ["-4", "-6"]) {
      const argv = [
        "ip",
        family,
        "route",
        "show",
        "table",
        "main",
        "type",
        "blackhole",
        "proto",
        ROUTE_PROTOCOL,
      ];
      const result = await this.#exec(argv, { timeoutMs: TIMEOUT_MS, keepBytes: LISTING_BYTES });
      const failure = failureOf(result);
      if (failure !== undefined) throw refused(result, failure);
      targets.push(...parseRoutes(result.stdout));
    }
    return targets;
  }

  #outcome(target: Prefix, error?: string): Outcome {
    const detail = formatPrefix(target);
    return error === undefined
      ? { ok: true, action: this.name, detail }
      : { ok: false, action: this.name, error, detail };
  }
}

/** IPv6 routes get the best metric, so that a better one to the same prefix does not win; IPv4's default is the best. */
function routeOf(target: Prefix): string {
  const metric = familyOf(target.address) === 6 ? " metric 1" : "";
  return `blackhole ${formatPrefix(target)} proto ${ROUTE_PROTOCOL}${metric}`;
}

function refused(result: ExecResult, failure: string): UserError {
  if (result.notStarted === "not-found") {
    return new UserError("Cannot list routes: ip is not installed; install the Debian package iproute2");
  }
  const denied = /operation not permitted/i.test(result.stderr);
  return new UserError(`Cannot list routes: ${failure}`, denied ? { exitCode: EXIT.permission } : {});
}
