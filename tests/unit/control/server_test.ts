import assert from "node:assert/strict";
import { ask } from "../../../src/control/client.ts";
import { ControlServer, type Handler } from "../../../src/control/server.ts";
import { EXIT, UserError } from "../../../src/errors.ts";
import { until } from "../../lab/lab.ts";

async function withServer(
  handler: Handler,
  body: (path: string, server: ControlServer) => Promise<void>,
  limits: { readonly maxClients?: number; readonly timeoutMs?: number } = {},
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/control.sock`;
    await using server = await ControlServer.listen({ path, handler, ...limits });
    await body(path, server);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function answersTo(path: string): Promise<unknown[]> {
  return await Array.fromAsync(ask(path, { verb: "status" }));
}

async function send(path: string, bytes: Uint8Array): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(bytes).catch(() => 0);
  return await new Response(connection.readable).text().catch(() => "");
}

Deno.test("ControlServer gives every data line of the handler, then ends", async () => {
  await withServer(function* () {
    yield 1;
    yield { two: 2 };
  }, async (path) => assert.deepEqual(await answersTo(path), [1, { two: 2 }]));
});

Deno.test("ControlServer passes a refusal on with its exit code", async () => {
  await withServer(() => {
    throw new UserError("Not this one", { exitCode: EXIT.permission });
  }, async (path) => {
    await assert.rejects(answersTo(path), (error: UserError) => {
      assert.equal(error.message, "Not this one");
      return error.exitCode === EXIT.permission;
    });
  });
});

Deno.test("ControlServer makes a socket that only its owner may use", async () => {
  await withServer(() => [], async (path) => {
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("ControlServer answers garbage with an error and goes on", async () => {
  const hostile = [
    "\n",
    "{}\n",
    "[1]\n",
    "null\n",
    '{"version":2,"verb":"status"}\n',
    '{"version":1,"verb":"nope"}\n',
    "\xff\xfe\n",
  ];
  await withServer(() => ["fine"], async (path) => {
    for (const line of hostile) {
      const answer = await send(path, new TextEncoder().encode(line));
      assert.match(answer, /^\{"error":"[^"]+","exitCode":64\}\n$/, JSON.stringify(line));
    }
    assert.deepEqual(await answersTo(path), ["fine"]);
  });
});

Deno.test("ControlServer reads no more of a request than its bound", async () => {
  await withServer(() => ["fine"], async (path) => {
    const answer = await send(path, new Uint8Array(1 << 20).fill(120));
    assert.match(answer, /^(\{"error".*\n)?$/);
    assert.deepEqual(await answersTo(path), ["fine"]);
  });
});

Deno.test("ControlServer closes a client that stays silent", async () => {
  await withServer(() => ["fine"], async (path) => {
    using connection = await Deno.connect({ transport: "unix", path });
    await connection.write(new TextEncoder().encode('{"version":1,'));
    assert.equal(await connection.read(new Uint8Array(1)), null);
    assert.deepEqual(await answersTo(path), ["fine"]);
  }, { timeoutMs: 50 });
});

Deno.test("ControlServer turns away clients beyond its bound and serves again when they have left", async () => {
  await withServer(() => ["fine"], async (path, server) => {
    const crowd = await Promise.all(
      Array.from({ length: 40 }, () => Deno.connect({ transport: "unix", path })),
    );
    await until("the surplus is turned away", () => server.refused === 36);
    await assert.rejects(answersTo(path), (error: UserError) => {
      assert.equal(error.message, "The daemon is busy with 4 other clients; try again in a moment");
      return error.exitCode === EXIT.unavailable;
    });
    crowd.forEach((connection) => connection.close());
    await until("there is room again", async () => {
      const answers = await answersTo(path).catch(() => []);
      return answers.length === 1;
    });
  }, { maxClients: 4 });
});

Deno.test("ControlServer closes a client that does not read its answer", async () => {
  const endless: Handler = function* (request) {
    for (; request.verb === "list";) yield "x".repeat(60_000);
    yield "fine";
  };
  await withServer(endless, async (path, server) => {
    using connection = await Deno.connect({ transport: "unix", path });
    await connection.write(new TextEncoder().encode('{"version":1,"verb":"list"}\n'));
    await until("the only place is taken", async () => {
      const answers = await answersTo(path).catch(() => []);
      return answers.length === 0 && server.refused > 0;
    });
    await until("the place is free again", async () => {
      const answers = await answersTo(path).catch(() => []);
      return answers.length === 1;
    });
  }, { timeoutMs: 100, maxClients: 1 });
});

Deno.test("ControlServer replaces a stale socket, but neither a file nor a living daemon's", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/control.sock`;
  const options = { path, handler: () => [] };
  try {
    await Deno.writeTextFile(path, "precious");
    await assert.rejects(ControlServer.listen(options), /not a socket/);
    await Deno.remove(path);
    const stale = Deno.listen({ transport: "unix", path });
    stale.close();
    {
      await using _server = await ControlServer.listen(options);
      await assert.rejects(ControlServer.listen(options), /Another portsnare is running/);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("ask says what to do when no daemon is running", async () => {
  await assert.rejects(answersTo("/nonexistent/control.sock"), (error: UserError) => {
    assert.match(error.message, /No daemon is running.*systemctl start portsnare/);
    return error.exitCode === EXIT.unavailable;
  });
});
