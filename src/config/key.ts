/**
 * What a configuration key is: how its value is checked, what it is when unset, and what the documentation says of it.
 * @module
 */

/** What the documentation says of a key. */
export interface KeyDoc {
  /** The default as it is written in TOML; `undefined` for a key that is unset by default. */
  readonly default: unknown;
  /** What the key takes, such as `"off", "connect"` or `a port`. */
  readonly form: string;
  /** What it does, one or more sentences. */
  readonly help: string;
  /** The PortSentry option it stands for. */
  readonly portsentry?: string;
  /** Whether a change takes effect only when the daemon is started again. Default: no, a reload is enough. */
  readonly needsRestart?: boolean;
}

/** One objection of a check. */
export interface Objection {
  /** Where inside the value; empty for the value itself. */
  readonly path: readonly PropertyKey[];
  /** In the checker's words. */
  readonly message: string;
  /** `custom` when the message is written for people and names what was expected. */
  readonly code?: string | undefined;
}

/** What a check says of a value. */
export type Checked<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly error: { readonly issues: readonly Objection[] } };

/** Turns what stands in a file into a `T`, or says what is wrong with it: the part of a zod schema that we use. */
export interface Check<T> {
  /** Never throws. */
  safeParse(value: unknown): Checked<T>;
}

/** A key of the configuration file whose value comes out of the check as a `T`. */
export interface Key<T> extends KeyDoc {
  /** The check of a value that is there. */
  readonly check: Check<T>;
}

/** The keys of a section that is a `S` when checked: exactly one for each of its fields. */
export type Keys<S> = { readonly [P in keyof S]-?: Key<S[P]> };

/** A key with a default: missing in the file means that the default was written there. */
export function key<T>(spec: Key<T>): Key<T> {
  const { check } = spec;
  return { ...spec, check: { safeParse: (value) => check.safeParse(value ?? spec.default) } };
}

/** A key that is unset by default. */
export function unset<T>(spec: Omit<Key<T>, "default">): Key<T | undefined> {
  const { check } = spec;
  return {
    ...spec,
    default: undefined,
    check: {
      safeParse: (value) => value === undefined ? { success: true, data: undefined } : check.safeParse(value),
    },
  };
}
