/**
 * The bans in the database: rows in, bans out. Every method is one statement; transactions are the caller's.
 * @module
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { type Address, familyOf, formatAddress } from "../../net/address.ts";
import { formatPrefix, parsePrefix, type Prefix, prefixContains } from "../../net/prefix.ts";
import type { Protocol } from "../../net/protocol.ts";
import type { Outcome } from "../../respond/backend.ts";
import type { BanReason, BanStory, EndCause, NewBan } from "./ban.ts";
import { outcomesFromJson, outcomesToJson, probesFromJson, probesToJson } from "./stored_json.ts";

type Row = Record<string, SQLOutputValue>;

/** The part of `StatementSync` that is used for rows as arrays. */
interface ArrayStatement {
  setReturnArrays(enabled: boolean): void;
  all(...values: SQLOutputValue[]): readonly (readonly SQLOutputValue[])[];
}

/** A ban in force, as stored. */
export interface StoredBan {
  /** Whom. */
  readonly target: Prefix;
  /** When it was made. */
  readonly since: number;
  /** For how many seconds; `undefined`: permanent. */
  readonly seconds: number | undefined;
  /** When it ends, on the anchor's wall clock; `undefined`: never. */
  readonly expires: number | undefined;
  /** How many bans the target has had, this one included. */
  readonly offence: number;
  /** Why. */
  readonly reason: BanReason;
  /** Distinct ports that led to it. */
  readonly ports: number;
  /** See {@link ActiveBan}. */
  readonly port: number | undefined;
  /** See {@link ActiveBan}. */
  readonly protocol: Protocol | undefined;
}

/** What {@link storedBan} is made of, in its order. */
const STORED_COLUMNS = [
  "target",
  "since",
  "seconds",
  "expires",
  "offence",
  "reason",
  "ports",
  "port",
  "protocol",
] as const;

/** Rows that are read at once. */
const CHUNK = 5000;

/** How many bans of one address `story` gives, newest first. */
const MAX_STORY = 100;

const REASONS: ReadonlySet<string> = new Set<BanReason>([
  "ignore-list",
  "own-address",
  "gateway",
  "resolver",
  "session",
  "already-blocked",
  "below-trigger",
  "repeated-port",
  "observe-only",
  "distinct-ports",
  "probe-count",
  "first-probe",
  "manual",
]);
const CAUSES: ReadonlySet<string> = new Set<EndCause>([
  "expired",
  "unblocked",
  "replaced",
  "failed",
  "command",
]);

/** The table `bans`. */
export class BanTable {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** The database stays the caller's. */
  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Enter a ban. `expires`: see {@link StoredBan}; `boot`: this one; `time` and `cause`: it was over at once. */
  insert(
    ban: NewBan,
    end: {
      readonly expires: number | undefined;
      readonly boot: string;
      readonly time?: number;
      readonly cause?: EndCause;
    },
  ): void {
    this.#run(
      `INSERT INTO bans (target, family, since, seconds, expires, offence, reason, note, hostname,
        ports, probes, port, protocol, evidence, outcomes, ended, ended_cause, boot)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      formatPrefix(ban.target),
      familyOf(ban.target.address),
      ban.since,
      ban.seconds ?? null,
      end.expires ?? null,
      ban.offence,
      ban.reason,
      ban.note ?? null,
      ban.hostname ?? null,
      ban.ports,
      ban.probes,
      ban.evidence.at(-1)?.port ?? null,
      ban.evidence.at(-1)?.protocol ?? null,
      probesToJson(ban.evidence),
      outcomesToJson(ban.outcomes),
      end.time ?? null,
      end.cause ?? null,
      end.boot,
    );
  }

  /** End the ban in force of a target; nothing happens if there is none. */
  end(
    target: string,
    end: { readonly time: number; readonly cause: EndCause; readonly outcomes: readonly Outcome[] },
  ): void {
    this.#run(
      "UPDATE bans SET ended = ?, ended_cause = ?, release_outcomes = ? WHERE target = ? AND ended IS NULL",
      end.time,
      end.cause,
      outcomesToJson(end.outcomes),
      target,
    );
  }

  /** Add what later actions, in this boot, did to the newest ban of a target. */
  addOutcomes(target: string, outcomes: readonly Outcome[], boot: string): void {
    const row = this.#one(
      "SELECT id, outcomes FROM bans WHERE target = ? ORDER BY since DESC, id DESC LIMIT 1",
      target,
    );
    if (row === undefined) return;
    const all = [...outcomesFromJson(row["outcomes"]), ...outcomes];
    this.#run(
      "UPDATE bans SET outcomes = ?, boot = ? WHERE id = ?",
      outcomesToJson(all),
      boot,
      row["id"] ?? null,
    );
  }

  /** Bans in force that had this action, with success, and whose actions last ran in another boot. */
  *actedBefore(boot: string, action: string): Iterable<Prefix> {
    const statement = this.#prepared(
      "SELECT target, outcomes FROM bans WHERE ended IS NULL AND boot IS NOT ? AND instr(outcomes, ?) > 0",
    );
    for (const row of statement.iterate(boot, JSON.stringify(action))) {
      const target = typeof row["target"] === "string" ? parsePrefix(row["target"]) : undefined;
      const worked = outcomesFromJson(row["outcomes"]).some((it) => it.action === action && it.ok);
      if (target !== undefined && worked) yield target;
    }
  }

  /**
   * The bans in force. A row that makes no sense is left out.
   *
   * Rows as arrays, many at once: an object for each row takes the runtime three times as long.
   */
  *inForce(): Iterable<StoredBan> {
    const statement = this.#rows(
      `SELECT ${STORED_COLUMNS.join()} FROM bans WHERE ended IS NULL AND target > ? ORDER BY target LIMIT ${CHUNK}`,
    );
    for (let last = "", isMore = true; isMore;) {
      const rows = statement.all(last);
      for (const values of rows) {
        const ban = storedBan(values);
        if (ban !== undefined) yield ban;
      }
      const end = rows.at(-1)?.[0];
      // In a damaged file they need not be in order.
      isMore = rows.length === CHUNK && typeof end === "string" && end > last;
      if (typeof end === "string") last = end;
    }
  }

  /** How many bans a target has had since a moment, those left out that were only attempted. */
  offences(target: string, since: number): number {
    const row = this.#one(
      "SELECT count(*) AS n FROM bans WHERE target = ? AND since >= ? AND ended_cause IS NOT 'failed' " +
        "AND ended_cause IS NOT 'command' AND ended_cause IS NOT 'replaced'",
      target,
      since,
    );
    return numberOf(row?.["n"]) ?? 0;
  }

  /** Every ban of an address and of the prefixes around it, newest first. */
  story(address: Address): readonly BanStory[] {
    const own = this.#all(
      "SELECT * FROM bans WHERE target = ? ORDER BY since DESC, id DESC LIMIT ?",
      formatAddress(address),
      MAX_STORY,
    );
    const around = this.#all(
      "SELECT * FROM bans WHERE instr(target, '/') > 0 ORDER BY since DESC LIMIT 10000",
    );
    return [...own, ...around].map(storyOf).filter((story) => story !== undefined)
      .filter((story) => prefixContains(story.target, address))
      .sort((a, b) => b.since - a.since).slice(0, MAX_STORY);
  }

  /** The bans that were entered after row `id` and are worth a line in the log. */
  after(id: number): readonly BanStory[] {
    return this.#all("SELECT * FROM bans WHERE id > ? ORDER BY id LIMIT 100000", id).map(storyOf)
      .filter((story) => story !== undefined);
  }

  /** Every ban but the last `untold` is in the log; see {@link readRecorded}. */
  markRecorded(untold: number): void {
    this.#run(
      "INSERT INTO meta (name, value) SELECT 'recorded', CAST(ifnull(max(id), 0) - ? AS TEXT) FROM bans WHERE true " +
        "ON CONFLICT DO UPDATE SET value = excluded.value",
      untold,
    );
  }

  /** The wall clock was set: by it, every ban in force ends so many seconds later. */
  shift(seconds: number): void {
    this.#run("UPDATE bans SET expires = expires + ? WHERE ended IS NULL", seconds);
  }

  /** Forget bans that ended before a moment, and the oldest of those that are more than `max`. @returns How many. */
  prune(before: number, max: number): number {
    const old = this.#run("DELETE FROM bans WHERE ended IS NOT NULL AND ended < ?", before);
    const many = this.#run(
      "DELETE FROM bans WHERE ended IS NOT NULL AND id IN " +
        "(SELECT id FROM bans WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT -1 OFFSET ?)",
      max,
    );
    return old + many;
  }

  /** A statement whose rows are arrays: Node.js 22.16 has that, and so has Deno, but not in its types. */
  #rows(sql: string): ArrayStatement {
    const statement = this.#prepared(sql) as unknown as ArrayStatement;
    statement.setReturnArrays(true);
    return statement;
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #run(sql: string, ...values: SQLOutputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  #one(sql: string, ...values: SQLOutputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  #all(sql: string, ...values: SQLOutputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }
}

/** @param values Those of {@link STORED_COLUMNS}. */
function storedBan(values: readonly (SQLOutputValue | undefined)[]): StoredBan | undefined {
  const [text, since, seconds, expires, offence, reason, ports, port, protocol] = values;
  const target = typeof text === "string" ? parsePrefix(text) : undefined;
  const [made, count] = [numberOf(since), numberOf(offence)];
  if (target === undefined || made === undefined || count === undefined || !isReason(reason)) {
    return undefined;
  }
  return {
    target,
    since: made,
    seconds: numberOf(seconds),
    expires: numberOf(expires),
    offence: count,
    reason,
    ports: numberOf(ports) ?? 0,
    port: numberOf(port),
    protocol: isProtocol(protocol) ? protocol : undefined,
  };
}

function storyOf(row: Row): BanStory | undefined {
  const ban = storedBan(STORED_COLUMNS.map((name) => row[name]));
  if (ban === undefined) return undefined;
  const [note, hostname, time, cause] = [
    row["note"],
    row["hostname"],
    numberOf(row["ended"]),
    row["ended_cause"],
  ];
  return {
    target: ban.target,
    since: ban.since,
    seconds: ban.seconds,
    offence: ban.offence,
    reason: ban.reason,
    ...(typeof note === "string" ? { note } : {}),
    ports: ban.ports,
    probes: numberOf(row["probes"]) ?? 0,
    ...(typeof hostname === "string" ? { hostname } : {}),
    evidence: probesFromJson(row["evidence"]),
    outcomes: outcomesFromJson(row["outcomes"]),
    until: ban.expires,
    ended: time !== undefined && isCause(cause) ? { time, cause } : undefined,
    releaseOutcomes: outcomesFromJson(row["release_outcomes"]),
  };
}

function numberOf(value: SQLOutputValue | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function isReason(value: unknown): value is BanReason {
  return typeof value === "string" && REASONS.has(value);
}

function isProtocol(value: unknown): value is Protocol {
  return value === "tcp" || value === "udp" || value === "sctp" || value === "icmp";
}

function isCause(value: unknown): value is EndCause {
  return typeof value === "string" && CAUSES.has(value);
}
