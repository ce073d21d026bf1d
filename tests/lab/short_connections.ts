/**
 * A busy client: connections of one HTTP request each, some at a time, for so many seconds.
 * `short_connections.ts ADDRESS PORT SECONDS` prints how many were answered; one that is not ends it with an error.
 */

/** Connections at the same time. */
const AT_ONCE = 16;

const [hostname = "", port = "", seconds = ""] = Deno.args;
const end = performance.now() + Number(seconds) * 1000;
const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
let answered = 0;

async function ask(): Promise<void> {
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(request);
  const buffer = new Uint8Array(1024);
  if (await connection.read(buffer) === null) throw new Error("The server closed the connection unasked");
  answered++;
}

await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  while (performance.now() < end) await ask();
}));
console.log(answered);
