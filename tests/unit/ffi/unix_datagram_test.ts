/**
 * Datagrams to sockets that may be missing, full or too small.
 * @module
 */
import assert from "node:assert/strict";
import { SyscallError } from "../../../src/errors.ts";
import { UnixDatagram } from "../../../src/ffi/unix_datagram.ts";
import { UnixReceiver } from "../../lab/unix_receiver.ts";

function refusal(body: () => void): string {
  try {
    body();
  } catch (error) {
    if (error instanceof SyscallError) return error.code;
    throw error;
  }
  return "none";
}

Deno.test("UnixDatagram.send names what the kernel refused, without waiting", () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/socket`;
  try {
    using socket = new UnixDatagram(path);
    const hello = new TextEncoder().encode("hello");
    assert.equal(refusal(() => socket.send(hello)), "ENOENT");
    {
      using receiver = new UnixReceiver(path);
      assert.equal(refusal(() => socket.send(hello)), "none");
      assert.equal(refusal(() => socket.send(new Uint8Array(1 << 20))), "EMSGSIZE");
      assert.deepEqual(receiver.received(), ["hello"]);
      let sent = 0;
      while (sent < 100_000 && refusal(() => socket.send(hello)) === "none") sent++;
      assert.equal(refusal(() => socket.send(hello)), "EAGAIN");
      assert.equal(receiver.received().length, sent);
    }
    Deno.writeTextFileSync(path, "no socket");
    assert.equal(refusal(() => socket.send(hello)), "ECONNREFUSED");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("UnixDatagram takes paths and abstract names of up to 107 and 108 bytes", () => {
  const rows: readonly [string, boolean][] = [
    [`/${"x".repeat(106)}`, true],
    [`/${"x".repeat(107)}`, false],
    [`@${"x".repeat(107)}`, true],
    [`@${"x".repeat(108)}`, false],
    ["relative", false],
    ["", false],
    ["/with\0nul", false],
  ];
  for (const [path, fits] of rows) {
    const open = () => new UnixDatagram(path)[Symbol.dispose]();
    if (fits) open();
    else assert.throws(open, TypeError, path);
  }
});
