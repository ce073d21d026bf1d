/**
 * The section `[log]`: what is logged and in which form.
 * @module
 */
import { enum as oneOf, int } from "zod";
import { DURATION_FORM } from "../duration.ts";
import { key, type Keys } from "../key.ts";
import { duration } from "../value.ts";

/** The section `[log]`. */
export interface LogConfig {
  /** PortSentry's lines or JSON. */
  readonly format: "text" | "json";
  /** The least important level that is still logged. */
  readonly level: "debug" | "info" | "notice" | "warning" | "err";
  /** Where lines go. */
  readonly target: "auto" | "stdout" | "syslog";
  /** How many lines a source gets in an interval. */
  readonly burst: number;
  /** The interval of `burst`, in seconds. */
  readonly interval: number;
}

/** The keys of `[log]`. */
export const LOG_KEYS: Keys<LogConfig> = {
  format: key({
    check: oneOf(["text", "json"]),
    default: "text",
    form: '"text" or "json"',
    help: "text: PortSentry's lines. json: one object a line.",
  }),
  level: key({
    check: oneOf(["debug", "info", "notice", "warning", "err"]),
    default: "notice",
    form: '"debug", "info", "notice", "warning" or "err"',
    help: "What is below this is not logged. Scans are notices.",
  }),
  target: key({
    check: oneOf(["auto", "stdout", "syslog"]),
    default: "auto",
    form: '"auto", "stdout" or "syslog"',
    help: "auto: stdout under systemd or on a terminal, else /dev/log.",
  }),
  burst: key({
    check: int().min(1).max(100000),
    default: 20,
    form: "1 to 100000",
    help: "How many lines one source gets in an `interval`; the rest becomes one summary line.",
  }),
  interval: key({
    check: duration({ min: 1 }),
    default: "1m",
    form: DURATION_FORM,
    help: "See `burst`.",
  }),
};
