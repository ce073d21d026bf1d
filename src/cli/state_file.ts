/**
 * What the state file alone can tell while no daemon answers: the bans that are booked, and the story of an address.
 *
 * Read-only, and never a repair: the file belongs to the daemon.
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { banView, offenceView } from "../control/ban_views.ts";
import type { BanView, StoryView } from "../control/views.ts";
import { EXIT, messageOf, UserError } from "../errors.ts";
import { type Address, formatAddress } from "../net/address.ts";
import type { BanStory } from "../record/state/ban.ts";
import { BanTable } from "../record/state/ban_table.ts";
import { openReadOnly } from "../record/state/database_file.ts";
import { type Moment, secondsLeft } from "../record/state/expiry.ts";
import { readAnchor } from "../record/state/meta_table.ts";
import { NewerSchemaError, SCHEMA_VERSION, schemaVersion } from "../record/state/schema.ts";
import type { BootClock } from "../system/clock.ts";

/** The state file, open for reading. */
export class StateFile implements Disposable {
  readonly #database: DatabaseSync;
  readonly #table: BanTable;
  readonly #anchor: Moment;
  readonly #now: Moment;

  /**
   * Opens the file.
   *
   * @throws {UserError} When it cannot be read.
   */
  constructor(path: string, clock: BootClock) {
    this.#database = open(path);
    this.#table = new BanTable(this.#database);
    this.#now = { wall: clock.now(), boot: clock.bootSeconds(), bootId: clock.bootId };
    this.#anchor = readAnchor(this.#database) ?? this.#now;
  }

  /** The bans that have time left. */
  bans(): readonly BanView[] {
    return [...this.#table.inForce()].flatMap((stored) => {
      const secondsLeft = this.#left(stored.expires, stored.seconds);
      return secondsLeft > 0 ? [banView({ ...stored, secondsLeft }, this.#now.wall)] : [];
    });
  }

  /** Everything that is known of an address, except for what only a running daemon knows. */
  story(address: Address): StoryView {
    const offences = this.#table.story(address).map((ban) => this.#ended(ban));
    return {
      address: formatAddress(address),
      blocked: offences.some((ban) => ban.ended === undefined),
      exempt: null,
      standing: null,
      offences: offences.map(offenceView),
      pending: [],
    };
  }

  /** Close the file. */
  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** Nobody was there to write down that its time is over. */
  #ended(ban: BanStory): BanStory {
    const { until } = ban;
    if (ban.ended !== undefined || until === undefined || this.#left(until, ban.seconds) > 0) return ban;
    return { ...ban, ended: { time: until, cause: "expired" } };
  }

  #left(expires: number | undefined, seconds: number | undefined): number {
    if (expires === undefined) return Infinity;
    const clocks = { anchor: this.#anchor, now: this.#now };
    return secondsLeft({ expires, seconds: seconds ?? Infinity }, clocks);
  }
}

function open(path: string): DatabaseSync {
  try {
    // SQLite does not say why it cannot open a file.
    Deno.openSync(path).close();
    const database = openReadOnly(path);
    const version = schemaVersion(database);
    if (version <= SCHEMA_VERSION) return database;
    database.close();
    throw new NewerSchemaError(version);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UserError(`Cannot read the state file ${path}: permission denied; run this as root`, {
        exitCode: EXIT.permission,
        cause: error,
      });
    }
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`There is no state file ${path}, so no bans are known`, { cause: error });
    }
    throw new UserError(`Cannot read the state file ${path}: ${messageOf(error)}`, { cause: error });
  }
}
