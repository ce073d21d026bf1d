/**
 * The contract between a ban and whatever enforces it.
 *
 * Every verb is idempotent. A backend owns its objects (table, chain, set) and touches nothing else.
 * @module
 */
import type { Prefix } from "../net/prefix.ts";

/** A ban to be enforced. */
export interface Ban {
  /** Whom. A single address is a prefix of full length. */
  readonly target: Prefix;
  /** Seconds from now until the kernel forgets it, rounded up; `undefined`: permanent. */
  readonly seconds: number | undefined;
  /** Nothing is in force for the target, so that nothing has to be replaced: a hint. Default: not known. */
  readonly isAbsent?: boolean;
}

/**
 * What became of one request.
 *
 * `action` is the backend's name or the key of the configuration (`kill_route`, …); `detail` is the command as it
 * was run or the line as it was written, with everything filled in.
 */
export type Outcome =
  | { readonly ok: true; readonly action: string; readonly detail?: string }
  | {
    readonly ok: false;
    readonly action: string;
    readonly error: string;
    readonly detail?: string;
    /** Trying again is of no use, or may do harm. Default: it may help. */
    readonly isFinal?: boolean;
  };

/** Whether what a backend set up is still there. */
export type BackendHealth =
  | { readonly ok: true }
  | { readonly ok: false; readonly missing: string };

/** A firewall that can keep addresses out. */
export interface Backend {
  /** `nftables`, `iptables`, `route` or `none`. */
  readonly name: string;
  /** Make the objects that bans need, empty or with what a previous run left. Throws UserError when it cannot. */
  setup(): Promise<void>;
  /** Enforce these bans; an existing one gets the new duration. One outcome each, in order. */
  block(bans: readonly Ban[]): Promise<readonly Outcome[]>;
  /** Lift these bans; one that is not there counts as lifted. One outcome each, in order. */
  release(targets: readonly Prefix[]): Promise<readonly Outcome[]>;
  /** What is enforced at this moment. */
  list(): Promise<readonly Ban[]>;
  /** Whether the objects of `setup` are still there. Cheap enough to be called each second. */
  check(): Promise<BackendHealth>;
  /** Remove every object of ours. */
  teardown(): Promise<void>;
}
