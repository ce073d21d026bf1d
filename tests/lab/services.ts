/**
 * A stand-in for the services of a host: listens on the TCP ports given as arguments and answers each request with a
 * few bytes over HTTP; `once:PORT` takes one connection, closes its listener and echoes what comes; `udp:PORT` answers
 * each datagram with itself, `late-udp:PORT` when nobody waits for it any more.
 * Prints `ready` when all are open.
 */
import { createSocket } from "node:dgram";

/** Longer than whoever asks waits. */
const LATE_MS = 1500;

for (const argument of Deno.args) {
  if (argument.startsWith("udp:")) echo(Number(argument.slice(4)), 0);
  else if (argument.startsWith("late-udp:")) echo(Number(argument.slice(9)), LATE_MS);
  else if (argument.startsWith("once:")) void once(Number(argument.slice(5)));
  else Deno.serve({ hostname: "::", port: Number(argument), onListen: () => {} }, respond);
}
console.log("ready");

async function respond(request: Request): Promise<Response> {
  const size = Number(new URL(request.url).searchParams.get("bytes") ?? "6");
  await request.body?.pipeTo(new WritableStream());
  return new Response(new Uint8Array(size).fill(65));
}

async function once(port: number): Promise<void> {
  const listener = Deno.listen({ hostname: "::", port });
  const connection = await listener.accept();
  listener.close();
  await connection.readable.pipeTo(connection.writable);
}

function echo(port: number, delayMs: number): void {
  const socket = createSocket("udp6");
  socket.on("message", (bytes, from) => {
    setTimeout(() => socket.send(bytes, from.port, from.address), delayMs);
  });
  socket.bind(port, "::");
}
