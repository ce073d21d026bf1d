import assert from "node:assert/strict";
import { NETLINK, NetlinkSocket } from "../../../src/ffi/netlink_socket.ts";
import { Poller } from "../../../src/ffi/poller.ts";

/** NLMSG_NOOP with NLM_F_ACK: the kernel answers at once, and nothing changes. */
const NOOP = Uint8Array.of(16, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);

Deno.test("Poller tells which of its descriptors became readable", async () => {
  using first = new NetlinkSocket(NETLINK.route);
  using second = new NetlinkSocket(NETLINK.route);
  const poller = new Poller([first.fd, second.fd]);
  for (const [index, socket] of [first, second].entries()) {
    const waiting = poller.wait();
    socket.send(NOOP);
    assert.equal(await waiting, true);
    assert.deepEqual(poller.ready(), [index]);
    assert.equal(socket.receive().kind, "data");
  }
  await poller.stop();
});

Deno.test("Poller.stop ends a wait that is under way, and every later one", async () => {
  using socket = new NetlinkSocket(NETLINK.route);
  const poller = new Poller(socket.fd);
  const waiting = poller.wait();
  const stopping = [poller.stop(), poller.stop()];
  poller[Symbol.dispose]();
  assert.equal(await waiting, false);
  await Promise.all(stopping);
  socket.send(NOOP);
  assert.equal(await poller.wait(), false);
});

Deno.test("Poller refuses to go round and round on a descriptor that is closed", async () => {
  const neverOpen = 0x7fff_fff0;
  const poller = new Poller(neverOpen);
  await assert.rejects(poller.wait(), { name: "SyscallError", code: "EBADF" });
  await poller.stop();
});

Deno.test("Poller with nothing to watch waits until it is stopped", async () => {
  const poller = new Poller([]);
  const waiting = poller.wait();
  await poller.stop();
  assert.equal(await waiting, false);
  assert.deepEqual(poller.ready(), []);
});
