/**
 * The daemon's end of the control socket. Whoever connects is root (the socket is 0600), but may still be broken:
 * size, time and number of clients are bounded, and nothing that a client does reaches the detector.
 * @module
 */
import { dirname } from "node:path";
import { EXIT, messageOf, UserError } from "../errors.ts";
import { type Answer, MAX_REQUEST_BYTES, parseRequest, type Request } from "./protocol.ts";

const ACCEPT_RETRY_MS = 100;
/** How long another daemon that starts at this moment is waited for. */
const LOCK_WAIT_MS = 5000;
const LOCK_POLL_MS = 10;
/** Lines of an answer leave together once they are this long: there may be a hundred thousand. */
const CHUNK_CHARACTERS = 1 << 16;

/** Gives the data lines of an answer, one value each. Throws UserError for a refusal. */
export type Handler = (
  request: Request,
) => AsyncIterable<unknown> | Iterable<unknown> | Promise<Iterable<unknown>>;

/** Bounds and the handler. */
export interface ControlOptions {
  /** Where the socket is made; a stale one is replaced. */
  readonly path: string;
  /** Answers requests. */
  readonly handler: Handler;
  /** Clients beyond this many are told so and closed. Default 16. */
  readonly maxClients?: number;
  /** A client that has not sent its request, or not read its answer, within this time is closed. Default 5 s. */
  readonly timeoutMs?: number;
}

/** The listening control socket. */
export class ControlServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #options: Required<ControlOptions>;
  readonly #clients = new Set<Deno.UnixConn>();
  readonly #accepting: Promise<void>;
  #refused = 0;
  #closed = false;

  private constructor(listener: Deno.UnixListener, options: ControlOptions) {
    this.#listener = listener;
    this.#options = { maxClients: 16, timeoutMs: 5000, ...options };
    this.#accepting = this.#accept();
  }

  /**
   * Listen, with access for the owner alone.
   *
   * @throws {UserError} When another daemon answers on the socket, or it cannot be made.
   */
  static async listen(options: ControlOptions): Promise<ControlServer> {
    // Between the look at what is there and the listening nobody else may do the same.
    using _lock = await lockDirectory(options.path);
    await removeStale(options.path);
    // The socket must never be open to others, not even between its creation and a chmod.
    const umask = Deno.umask(0o177);
    try {
      return new ControlServer(Deno.listen({ transport: "unix", path: options.path }), options);
    } catch (error) {
      throw new UserError(`Cannot listen on ${options.path}: ${messageOf(error)}`, { cause: error });
    } finally {
      Deno.umask(umask);
    }
  }

  /** How many clients were turned away because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Close every client and remove the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#listener.close();
    for (const client of this.#clients) close(client);
    await this.#accepting;
    await Deno.remove(this.#options.path).catch(() => {
      // Somebody removed it before us; gone is what we want.
    });
  }

  /** Never rejects, or the process would end: out of descriptors, clients wait until there are some again. */
  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#welcome(await this.#listener.accept());
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  #welcome(client: Deno.UnixConn): void {
    if (this.#clients.size >= this.#options.maxClients) {
      this.#refused++;
      void this.#turnAway(client);
      return;
    }
    this.#clients.add(client);
    void this.#serve(client).finally(() => {
      this.#clients.delete(client);
      close(client);
    });
  }

  /** Never rejects. */
  async #turnAway(client: Deno.UnixConn): Promise<void> {
    try {
      const error =
        `The daemon is busy with ${this.#options.maxClients} other clients; try again in a moment`;
      await this.#send(client, answerLine({ error, exitCode: EXIT.unavailable }));
    } catch {
      // It went away by itself.
    } finally {
      close(client);
    }
  }

  /** Never rejects: a client that goes away in the middle is no event. */
  async #serve(client: Deno.UnixConn): Promise<void> {
    try {
      const line = await withDeadline(client, this.#options.timeoutMs, () => readRequest(client));
      if (line === undefined) return;
      await this.#answer(client, line);
    } catch {
      // The client closed, or was closed for being slow.
    }
  }

  async #answer(client: Deno.UnixConn, line: string): Promise<void> {
    const request = parseRequest(line);
    if ("error" in request) {
      return await this.#send(client, answerLine({ error: request.error, exitCode: EXIT.usage }));
    }
    let text = "";
    let last: Answer = { end: true };
    try {
      for await (const data of await this.#options.handler(request)) {
        text += answerLine({ data });
        if (text.length < CHUNK_CHARACTERS) continue;
        await this.#send(client, text);
        text = "";
      }
    } catch (error) {
      last = {
        error: messageOf(error),
        exitCode: error instanceof UserError ? error.exitCode : EXIT.internal,
      };
    }
    await this.#send(client, text + answerLine(last));
  }

  async #send(client: Deno.UnixConn, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    await withDeadline(client, this.#options.timeoutMs, async () => {
      for (let sent = 0; sent < bytes.length;) sent += await client.write(bytes.subarray(sent));
    });
  }
}

function answerLine(answer: Answer): string {
  return `${JSON.stringify(answer)}\n`;
}

/** Closes the client when `body` takes longer, which makes its pending read or write fail. */
async function withDeadline<T>(client: Deno.UnixConn, ms: number, body: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => close(client), ms);
  try {
    return await body();
  } finally {
    clearTimeout(timer);
  }
}

async function readRequest(client: Deno.UnixConn): Promise<string | undefined> {
  const buffer = new Uint8Array(MAX_REQUEST_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const count = await client.read(buffer.subarray(length));
    if (count === null) return undefined;
    length += count;
    const end = buffer.subarray(0, length).indexOf(10);
    if (end >= 0) return new TextDecoder().decode(buffer.subarray(0, end));
  }
  return "too long";
}

/** An advisory lock on the directory of a file, until it is disposed of. */
async function lockDirectory(path: string): Promise<Disposable> {
  const directory = dirname(path);
  try {
    const file = await Deno.open(directory);
    for (let waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_POLL_MS) {
      if (file.tryLockSync(true)) return file;
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    }
    file.close();
    throw new Error(`another program holds a lock on ${directory}`);
  } catch (error) {
    throw new UserError(`Cannot listen on ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function removeStale(path: string): Promise<void> {
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info === undefined) return;
  if (info.isSocket !== true) {
    throw new UserError(`Cannot listen on ${path}: there is something there that is not a socket; remove it`);
  }
  try {
    close(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) {
      throw new UserError(`Cannot listen on ${path}: ${messageOf(error)}`, { cause: error });
    }
    await Deno.remove(path);
    return;
  }
  throw new UserError(`Another portsnare is running: it answers on ${path}; stop it first`);
}

function close(client: Deno.UnixConn): void {
  try {
    client.close();
  } catch {
    // Closed before, by the deadline or by the other side.
  }
}
