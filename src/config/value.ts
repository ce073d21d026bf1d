/**
 * The kinds of values that configuration keys hold, each as a check that says what it expected.
 * @module
 */
import { array, int, NEVER, string, union } from "zod";
import { parsePortRange, type PortRange, PortSet } from "../net/ports.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";
import type { Check } from "./key.ts";

/** Finds the port of a service name, as in /etc/services; `undefined` for a name that is not there. */
export type ServicePort = (name: string, protocol: "tcp" | "udp") => number | undefined;

/** A command: text for `/bin/sh -c`, or a program and its arguments for no shell at all. */
export type Command = string | readonly string[];

/** What a list of ports looks like, for error messages. */
export const PORTS_FORM = 'an array of ports: numbers, ranges ("5-11") and service names';

/** A list of ports, ranges and service names. */
export function ports(protocol: "tcp" | "udp", servicePort: ServicePort): Check<PortSet> {
  return array(union([int(), string()])).max(4096).transform((items, context) => {
    const ranges: PortRange[] = [];
    for (const [index, item] of items.entries()) {
      const range = parsePortRange(String(item)) ?? single(servicePort(String(item), protocol));
      if (range === undefined) {
        context.addIssue({
          code: "custom",
          path: [index],
          message:
            `${JSON.stringify(item)} is not a ${protocol} port: expected 0 to 65535, a range like "5-11", ` +
            "or a name from /etc/services",
        });
      } else ranges.push(range);
    }
    return new PortSet(ranges);
  });
}

/** A duration, in seconds. */
export function duration(limits: {
  /** The least that makes sense, in seconds. */
  readonly min: number;
  /** Whether `permanent` is one of the values. Default: no. */
  readonly permanent?: boolean;
}): Check<number> {
  return string().transform((text, context) => {
    const seconds = parseDuration(text);
    if (seconds === undefined || (seconds === Infinity && limits.permanent !== true)) {
      const also = limits.permanent === true ? ', or "permanent"' : "";
      context.addIssue({
        code: "custom",
        message: `${JSON.stringify(text)} is not a duration: expected ${DURATION_FORM}${also}`,
      });
      return NEVER;
    }
    if (seconds < limits.min) {
      context.addIssue({
        code: "custom",
        message: `${JSON.stringify(text)} is too short: expected at least ${limits.min} seconds`,
      });
      return NEVER;
    }
    return seconds;
  });
}

/** The absolute path of a file. */
export function path(): Check<string> {
  return absolutePath();
}

/** Absolute paths of files. */
export function paths(): Check<readonly string[]> {
  return array(absolutePath()).max(64);
}

/** A command, see {@link Command}. */
export function command(): Check<Command> {
  return union([string().min(1).max(4096), array(string().max(4096)).min(1).max(256)]);
}

function single(port: number | undefined): PortRange | undefined {
  return port === undefined ? undefined : { first: port, last: port };
}

function absolutePath() {
  return string().regex(/^\/[^\0]*[^\0/]$/).max(4095);
}
