import assert from "node:assert/strict";
import { loadIgnoreFiles, parseIgnoreFile } from "../../../src/config/ignore_file.ts";
import { formatFault } from "../../../src/errors.ts";
import { IgnoreList, type IgnoreListOptions } from "../../../src/host/ignore_list.ts";
import type { Address } from "../../../src/net/address.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import { until } from "../../lab/lab.ts";
import { address } from "../../lab/addresses.ts";

async function withList(
  body: (list: IgnoreList, path: string) => Promise<void>,
  options: Partial<IgnoreListOptions> & { readonly content?: string } = {},
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/portsentry.ignore`;
    if (options.content !== undefined) await Deno.writeTextFile(path, options.content);
    using list = await IgnoreList.open({
      hosts: [],
      files: [path],
      resolve: () => Promise.reject(new Error("no name server")),
      ...options,
    });
    await body(list, path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("IgnoreList joins the configuration and the files, each prefix once", async () => {
  await withList((list) => {
    assert.deepEqual(list.prefixes().map(formatPrefix).toSorted(), ["10.0.0.0/8", "192.0.2.1", "::1"]);
    assert.ok(list.has(address("10.1.2.3")) && list.has(address("::1")));
    assert.ok(!list.has(address("11.0.0.1")));
    assert.deepEqual(list.faults().map((fault) => fault.line), [2]);
    return Promise.resolve();
  }, { hosts: ["10.0.0.0/8", "::1"], content: "10.9.9.9/8\n10.0.0.300\n192.0.2.1" });
});

Deno.test("C14: IgnoreList follows its files: appended to, replaced, removed and made anew", async () => {
  await withList(async (list, path) => {
    let changes = 0;
    list.onChange(() => changes++);
    await Deno.writeTextFile(path, "192.0.2.2\n", { append: true });
    await until("the appended line", () => list.has(address("192.0.2.2")));
    await Deno.writeTextFile(`${path}.new`, "192.0.2.3\n");
    await Deno.rename(`${path}.new`, path);
    await until("the replaced file", () => list.has(address("192.0.2.3")) && !list.has(address("192.0.2.1")));
    await Deno.remove(path);
    await until("the removed file", () => list.prefixes().length === 0);
    await Deno.writeTextFile(path, "192.0.2.4\n");
    await until("the new file", () => list.has(address("192.0.2.4")));
    assert.ok(changes >= 4, `${changes} changes were told`);
  }, { content: "192.0.2.1\n" });
});

Deno.test("IgnoreList tells nobody when a change of the file changes nothing", async () => {
  await withList(async (list, path) => {
    let changes = 0;
    const stop = list.onChange(() => changes++);
    await Deno.writeTextFile(path, "# a comment\n192.0.2.1\n");
    await list.refresh();
    assert.equal(changes, 0);
    stop();
    await Deno.writeTextFile(path, "192.0.2.9\n");
    await list.refresh();
    assert.equal(changes, 0);
    assert.ok(list.has(address("192.0.2.9")));
  }, { content: "192.0.2.1\n" });
});

Deno.test("IgnoreList tells its listeners of lines that do nothing as well", async () => {
  await withList(async (list, path) => {
    let changes = 0;
    list.onChange(() => changes++);
    await Deno.writeTextFile(path, "192.0.2.1\n192.0.2.1/99\n");
    await list.refresh();
    assert.equal(changes, 1);
    assert.match(list.faults()[0]?.message ?? "", /does nothing/);
  }, { content: "192.0.2.1\n" });
});

Deno.test("IgnoreList follows the addresses of host names, and keeps the last ones while nobody answers", async () => {
  let answer: () => Promise<readonly Address[]> = () =>
    Promise.resolve([address("192.0.2.7"), address("fd77::7")]);
  await withList(async (list) => {
    await until("the first answer", () => list.has(address("192.0.2.7")) && list.has(address("fd77::7")));
    answer = () => Promise.reject(new Error("no name server"));
    await list.refresh();
    assert.ok(list.has(address("192.0.2.7")));
    answer = () => Promise.resolve([address("192.0.2.8")]);
    await list.refresh();
    await until("the second answer", () => list.has(address("192.0.2.8")) && !list.has(address("192.0.2.7")));
    assert.deepEqual(
      [list.prefixes().map(formatPrefix), list.faults().length],
      [["192.0.2.8"], 1],
      "no file",
    );
  }, { hosts: ["Monitor.Example"], resolve: () => answer() });
});

Deno.test("IgnoreList tells once of host names that nobody knows, and looks them up again soon", async () => {
  let isUp = false;
  let changes = 0;
  await withList(async (list, path) => {
    list.onChange(() => changes++);
    const faults = (): readonly string[] => list.faults().map(formatFault);
    await until("the fault", () => faults().length > 0);
    assert.deepEqual(faults(), [
      "ignore.hosts: monitor.example cannot be looked up; nobody is ignored for it until it can",
      `${path}: a.example and 1 more host name cannot be looked up; nobody is ignored for them until they can`,
    ]);
    await list.refresh();
    assert.equal(changes, 1);
    isUp = true;
    await until("the names are known", () => list.has(address("192.0.2.7")));
    assert.deepEqual(faults(), []);
  }, {
    hosts: ["monitor.example"],
    content: "a.example\nb.example\n",
    retryMs: 20,
    resolve: () =>
      isUp ? Promise.resolve([address("192.0.2.7")]) : Promise.reject(new Error("no name server")),
  });
});

Deno.test("IgnoreList forgets the addresses of a name that was taken out of the file", async () => {
  await withList(async (list, path) => {
    await until("the answer", () => list.has(address("192.0.2.7")));
    await Deno.writeTextFile(path, "");
    await list.refresh();
    assert.deepEqual(list.prefixes(), []);
  }, { content: "monitor.example\n", resolve: () => Promise.resolve([address("192.0.2.7")]) });
});

Deno.test("IgnoreList takes no more than 64 addresses of a name", async () => {
  const many = Array.from({ length: 500 }, (_, index) => address(`10.0.${index >> 8}.${index & 255}`));
  await withList(async (list) => {
    await until("the answer", () => list.prefixes().length > 0);
    assert.equal(list.prefixes().length, 64);
  }, { hosts: ["many.example"], resolve: () => Promise.resolve(many) });
});

Deno.test("C14: IgnoreList keeps the entries of a file that cannot be read, tells it once, and recovers", async () => {
  await withList(async (list, path) => {
    let changes = 0;
    list.onChange(() => changes++);
    await Deno.remove(path);
    await Deno.mkdir(path);
    await list.refresh();
    await list.refresh();
    assert.ok(list.has(address("192.0.2.1")));
    assert.equal(changes, 1, "the fault is told once");
    assert.match(list.faults()[0]?.message ?? "", /is a directory; its last good entry stays in force/);
    await Deno.remove(path);
    await Deno.writeTextFile(path, "192.0.2.2\n");
    await until("the new file", () => list.has(address("192.0.2.2")) && !list.has(address("192.0.2.1")));
    assert.deepEqual(list.faults(), []);
  }, { content: "192.0.2.1\n" });
});

Deno.test("IgnoreList reads a file again that it could not read, though nothing tells of a change", async () => {
  let isBroken = true;
  const load: typeof loadIgnoreFiles = (paths) =>
    Promise.resolve(
      new Map(paths.map((path) => {
        const file = parseIgnoreFile(isBroken ? "" : "192.0.2.2\n", path);
        return [path, isBroken ? { ...file, unread: "unreadable" } : file];
      })),
    );
  await withList(async (list) => {
    await list.refresh();
    isBroken = false;
    await until("it is read again", () => list.has(address("192.0.2.2")));
  }, { load, retryMs: 20 });
});

Deno.test("IgnoreList begins with what the list before it knew of files and names", async () => {
  let silent = false;
  const resolve = (): Promise<readonly Address[]> =>
    silent ? Promise.reject(new Error("no name server")) : Promise.resolve([address("192.0.2.7")]);
  await withList(async (before, path) => {
    await until("the answer", () => before.has(address("192.0.2.7")));
    silent = true;
    await Deno.remove(path);
    await Deno.mkdir(path);
    using list = await IgnoreList.open({ hosts: ["monitor.example"], files: [path], resolve, before });
    assert.ok(list.has(address("192.0.2.1")), "of the file");
    assert.ok(list.has(address("192.0.2.7")), "of the name");
  }, { hosts: ["monitor.example"], content: "192.0.2.1\n", resolve });
});
