/**
 * A name server in a host of the lab that gives addresses whatever names a test wants, bytes of any kind included.
 * @module
 */
import { DENO } from "./deno.ts";
import { type Host, until } from "./lab.ts";

/** A running name server. It ends with the lab. */
export class NameServer {
  /** The names that were asked for so far. */
  readonly questions: string[] = [];

  private constructor(output: ReadableStream<Uint8Array<ArrayBuffer>>) {
    void this.#read(output);
  }

  /**
   * Start it and wait until it listens on port 53.
   *
   * @param names Address → the labels of its name, one character for each byte. No labels: no answer.
   */
  static async start(
    host: Host,
    names: Readonly<Record<string, readonly string[]>>,
  ): Promise<NameServer> {
    const script = new URL("./name_service.ts", import.meta.url).pathname;
    const argv = [DENO, "run", "-A", "--cached-only", script, JSON.stringify(names)];
    const server = new NameServer(host.spawn(argv, { stderr: "inherit" }).stdout);
    await until("the name server listens", () => server.questions.includes("ready"));
    server.questions.splice(0);
    return server;
  }

  async #read(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const chunk of output.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      this.questions.push(...lines);
    }
  }
}
