/**
 * What is said over the control socket: one JSON object a line, with a version, in both directions.
 *
 * A client sends one request. The server answers with any number of `data` lines and then exactly one `end` or
 * `error` line. A line that is not of this form is refused, never guessed at.
 * @module
 */
import * as z from "zod";
import { EXIT, type ExitCode } from "../errors.ts";

/** Version of the protocol; a request of another version is refused. */
export const PROTOCOL_VERSION = 1;

/** No request is longer than this, in bytes, its newline included. */
export const MAX_REQUEST_BYTES = 4096;

/** What every request says. */
export interface Versioned {
  /** The version of the protocol that the client speaks. */
  readonly version: 1;
}

/** A question without an argument, or the wish for a reload. */
export interface PlainRequest extends Versioned {
  /** What is asked. */
  readonly verb: "status" | "list" | "top" | "reload";
}

/** The question for the story of an address. */
export interface WhyRequest extends Versioned {
  /** What is asked. */
  readonly verb: "why";
  /** Whose story. */
  readonly address: string;
}

/** The wish for a ban. */
export interface BlockRequest extends Versioned {
  /** What is asked. */
  readonly verb: "block";
  /** An address or a prefix. */
  readonly target: string;
  /** How long, in seconds; `null`: permanently. Default: as configured. */
  readonly seconds?: number | null | undefined;
  /** Why, in that person's words. Default: nothing is said. */
  readonly reason?: string | undefined;
  /** Whether even a protected address is banned. */
  readonly force: boolean;
}

/** The wish for the end of a ban, or of all. */
export interface UnblockRequest extends Versioned {
  /** What is asked. */
  readonly verb: "unblock";
  /** An address, a prefix, or `all`. */
  readonly target: string;
}

/** A request, checked. */
export type Request = PlainRequest | WhyRequest | BlockRequest | UnblockRequest;

const target = z.string().min(1).max(64);

const requestSchema: z.ZodType<Request> = z.discriminatedUnion("verb", [
  z.strictObject({ version: z.literal(PROTOCOL_VERSION), verb: z.literal("status") }),
  z.strictObject({ version: z.literal(PROTOCOL_VERSION), verb: z.literal("list") }),
  z.strictObject({ version: z.literal(PROTOCOL_VERSION), verb: z.literal("top") }),
  z.strictObject({ version: z.literal(PROTOCOL_VERSION), verb: z.literal("reload") }),
  z.strictObject({ version: z.literal(PROTOCOL_VERSION), verb: z.literal("why"), address: target }),
  z.strictObject({
    version: z.literal(PROTOCOL_VERSION),
    verb: z.literal("block"),
    target,
    seconds: z.int().positive().nullable().optional(),
    reason: z.string().max(256).optional(),
    force: z.boolean().default(false),
  }),
  z.strictObject({
    version: z.literal(PROTOCOL_VERSION),
    verb: z.literal("unblock"),
    target,
  }),
]);

/** The request of one verb. */
export type RequestOf<V extends Request["verb"]> = Extract<Request, { readonly verb: V }>;

/** A line of an answer. */
export type Answer =
  | { readonly data: unknown }
  | { readonly end: true }
  | { readonly error: string; readonly exitCode: ExitCode };

/** A request line, or what is wrong with it. */
export function parseRequest(line: string): Request | { readonly error: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { error: "The request is not JSON" };
  }
  const parsed = requestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return {
    error: `The request is not understood: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim(),
  };
}

/** The last line of an answer. */
const lastSchema = z.union([
  z.object({ error: z.string(), exitCode: z.enum(EXIT) }),
  z.object({ end: z.literal(true) }),
]);

/** An answer line, or `undefined` when it is none. */
export function parseAnswer(line: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // Nearly every line, of a hundred thousand perhaps: what the data is the verb knows.
    if (typeof value === "object" && value !== null && "data" in value) return { data: value.data };
    return lastSchema.safeParse(value).data;
  } catch {
    return undefined;
  }
}
