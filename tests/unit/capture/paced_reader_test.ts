/** When packets are read: at once, or by the clock. @module */
import assert from "node:assert/strict";
import { PacedReader } from "../../../src/capture/paced_reader.ts";
import { NETLINK, NetlinkSocket } from "../../../src/ffi/netlink_socket.ts";
import { until } from "../../lab/lab.ts";

/** NLMSG_NOOP with NLM_F_ACK: the kernel answers with one datagram, which is then what waits to be read. */
const NOOP = Uint8Array.of(16, 0, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);
/** Far more than may be had one by one, however slow this machine is. */
const MANY = 1000;

class Scene implements AsyncDisposable {
  readonly #socket = new NetlinkSocket(NETLINK.route);
  readonly reader: PacedReader;
  taken = 0;
  flushes = 0;
  closed = 0;
  readonly busy: boolean[] = [];
  onFlush: () => void = () => {};

  constructor() {
    this.reader = new PacedReader({
      fds: [this.#socket.fd],
      take: (max) => this.#take(max),
      flush: () => {
        this.flushes++;
        this.onFlush();
      },
      close: () => {
        this.closed++;
        this.#socket[Symbol.dispose]();
      },
      intervalMs: 5,
      quietIntervals: 2,
      onBusy: (busy) => this.busy.push(busy),
    });
  }

  send(count = 1): void {
    for (let i = 0; i < count; i++) this.#socket.send(NOOP);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader.stop();
  }

  #take(max: number): number {
    let taken = 0;
    while (taken < max && this.#socket.receive().kind === "data") taken++;
    this.taken += taken;
    return taken;
  }
}

Deno.test("PacedReader flushes for the first alone, and then once for all that wait", async () => {
  await using scene = new Scene();
  const takenAtFlush: number[] = [];
  scene.onFlush = () => takenAtFlush.push(scene.taken);
  scene.send(10);
  await until("all are taken", () => scene.taken === 10);
  assert.deepEqual([takenAtFlush, scene.busy], [[1, 10], []]);
});

Deno.test("PacedReader reads by the clock while packets are many, and at once again when they are few", async () => {
  await using scene = new Scene();
  let sent = 0;
  while (scene.busy.length === 0 && sent < MANY) {
    const flushed = new Promise<void>((resolve) => scene.onFlush = resolve);
    scene.send();
    sent++;
    await flushed;
  }
  await until("they are few again", () => scene.busy.length === 2);
  assert.deepEqual(scene.busy, [true, false]);
  assert.ok(sent > 30, "the first are taken one by one");
  scene.send();
  await until("one more is taken", () => scene.taken === sent + 1);
});

Deno.test("PacedReader.stop ends a wait, closes once, and nothing is read afterwards", async () => {
  const scene = new Scene();
  scene.onFlush = () => scene.reader[Symbol.dispose]();
  scene.send(3);
  await until("the first is taken", () => scene.taken > 0);
  await Promise.all([scene.reader.stop(), scene.reader.stop()]);
  assert.deepEqual([scene.taken, scene.closed, scene.flushes], [1, 1, 1]);
});
