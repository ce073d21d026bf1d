/**
 * The backend of a host that has no firewall for us and was not asked to ban: detecting goes on, and a ban that a person
 * wants all the same fails honestly.
 * @module
 */
import type { Prefix } from "../net/prefix.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "./backend.ts";

/** Fails every ban with the reason why there is no firewall. */
export class MissingBackend implements Backend {
  /** The firewall that was configured. */
  readonly name: string;
  readonly #reason: string;

  /** Stands in for the firewall that was configured, and says why it cannot be used. */
  constructor(name: string, reason: string) {
    this.name = name;
    this.#reason = reason;
  }

  /** Nothing can be made. */
  setup(): Promise<void> {
    return Promise.resolve();
  }

  /** Every ban fails. */
  block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    return Promise.resolve(bans.map(() => ({ ok: false, action: this.name, error: this.#reason })));
  }

  /** There is nothing that could be in force. */
  release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    return Promise.resolve(targets.map(() => ({ ok: true, action: this.name })));
  }

  /** Nothing is enforced. */
  list(): Promise<readonly Ban[]> {
    return Promise.resolve([]);
  }

  /** It was missing from the start: nothing is to be put back. */
  check(): Promise<BackendHealth> {
    return Promise.resolve({ ok: true });
  }

  /** Nothing is to be removed. */
  teardown(): Promise<void> {
    return Promise.resolve();
  }
}
