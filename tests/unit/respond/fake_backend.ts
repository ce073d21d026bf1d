/**
 * A backend in memory that fails on command and writes down what is asked of it.
 * @module
 */
import { formatPrefix, type Prefix } from "../../../src/net/prefix.ts";
import type { Backend, BackendHealth, Ban, Outcome } from "../../../src/respond/backend.ts";
import { prefix } from "../../lab/addresses.ts";

/** The backend. */
export class FakeBackend implements Backend {
  readonly name = "nftables";
  /** What was asked, such as `block 192.0.2.1`. */
  readonly calls: string[] = [];
  /** Who is banned. */
  readonly banned = new Map<string, number | undefined>();
  /** So many further calls of block fail. */
  failures = 0;
  /** Whether failing means throwing. */
  throws = false;
  healthy = true;

  setup(): Promise<void> {
    this.calls.push("setup");
    this.healthy = true;
    return Promise.resolve();
  }

  block(bans: readonly Ban[]): Promise<readonly Outcome[]> {
    this.calls.push(`block ${bans.map((ban) => formatPrefix(ban.target)).join(" ")}`);
    if (this.failures > 0) {
      this.failures--;
      if (this.throws) return Promise.reject(new Error("backend threw"));
      return Promise.resolve(bans.map(() => ({ ok: false, action: this.name, error: "refused" })));
    }
    for (const ban of bans) this.banned.set(formatPrefix(ban.target), ban.seconds);
    return Promise.resolve(bans.map(() => ({ ok: true, action: this.name })));
  }

  release(targets: readonly Prefix[]): Promise<readonly Outcome[]> {
    this.calls.push(`release ${targets.map(formatPrefix).join(" ")}`);
    for (const target of targets) this.banned.delete(formatPrefix(target));
    return Promise.resolve(targets.map(() => ({ ok: true, action: this.name })));
  }

  list(): Promise<readonly Ban[]> {
    return Promise.resolve([...this.banned].map(([text, seconds]) => ({ target: prefix(text), seconds })));
  }

  check(): Promise<BackendHealth> {
    return Promise.resolve(this.healthy ? { ok: true } : { ok: false, missing: "table" });
  }

  teardown(): Promise<void> {
    return Promise.resolve();
  }
}
