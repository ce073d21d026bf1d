/**
 * The backend for who wants no firewall of ours: bans are only remembered, and PortSentry's actions do the rest.
 * @module
 */
import type { Prefix } from "../net/prefix.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "./backend.ts";

/** The backend `none`. */
export class NoBackend implements Backend {
  /** The name in the configuration and in outcomes. */
  readonly name = "none";

  /** Nothing is to be made. */
  setup(): Promise<void> {
    return Promise.resolve();
  }

  /** Every ban succeeds, in that nothing was to be done. */
  block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    return Promise.resolve(bans.map(() => ({ ok: true, action: this.name })));
  }

  /** Likewise. */
  release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    return Promise.resolve(targets.map(() => ({ ok: true, action: this.name })));
  }

  /** Nothing is enforced. */
  list(): Promise<readonly Ban[]> {
    return Promise.resolve([]);
  }

  /** Nothing can be missing. */
  check(): Promise<BackendHealth> {
    return Promise.resolve({ ok: true });
  }

  /** Nothing is to be removed. */
  teardown(): Promise<void> {
    return Promise.resolve();
  }
}
