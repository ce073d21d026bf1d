/**
 * The command line's end of the control socket.
 * @module
 */
import { EXIT, messageOf, UserError } from "../errors.ts";
import { parseAnswer, PROTOCOL_VERSION, type Request } from "./protocol.ts";

/** A request as a caller writes it: the version is added here. */
export type Question = Request extends infer R ? R extends Request ? Omit<R, "version"> : never : never;

/** Nobody listens on the control socket. */
export class NoDaemonError extends UserError {
  /** `path`: of the socket; `cause`: what connecting gave. */
  constructor(path: string, cause: unknown) {
    super(`No daemon is running (nothing answers on ${path}); start it with: systemctl start portsnare`, {
      cause,
    });
    this.name = "NoDaemonError";
  }
}

/** No answer line is longer than this, in characters. */
const MAX_LINE = 1 << 20;

/**
 * Ask the daemon, and give its data lines as they come.
 *
 * @throws {UserError} When no daemon answers ({@link NoDaemonError}, exit 69), when this user may not ask it (exit 77), or when it refuses.
 */
export async function* ask(path: string, question: Question): AsyncIterable<unknown> {
  using connection = await connect(path);
  await send(connection, JSON.stringify({ version: PROTOCOL_VERSION, ...question }));
  for await (const some of lines(connection)) {
    for (const line of some) {
      const answer = parseAnswer(line);
      if (answer === undefined) {
        throw new UserError(`The daemon on ${path} gave an answer that is not understood`);
      }
      if ("error" in answer) throw new UserError(answer.error, { exitCode: answer.exitCode });
      if ("end" in answer) return;
      yield answer.data;
    }
  }
  throw new UserError(`The daemon on ${path} stopped answering; see its log`);
}

async function connect(path: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UserError(`Cannot reach the daemon on ${path}: permission denied; run this as root`, {
        exitCode: EXIT.permission,
        cause: error,
      });
    }
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      throw new NoDaemonError(path, error);
    }
    throw new UserError(`Cannot reach the daemon on ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** A daemon that turns us away does not read the request, but says why. */
async function send(connection: Deno.UnixConn, request: string): Promise<void> {
  try {
    await connection.write(new TextEncoder().encode(`${request}\n`));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** As many at a time as have come. */
async function* lines(connection: Deno.UnixConn): AsyncIterable<readonly string[]> {
  let rest = "";
  for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
    rest += chunk;
    const parts = rest.split("\n");
    rest = parts.pop() ?? "";
    yield parts;
    if (rest.length > MAX_LINE) throw new UserError("The daemon's answer has a line that is too long");
  }
}
