/**
 * The one executable: what the entry stub does to arguments and environment, and that it starts wherever it has to.
 *
 * A probe program that prints what it sees is made into an executable the same way as portsnare is.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeExecutable } from "../../scripts/elf/executable.ts";

const PROBE = `
exports.main = async ([verb, value]) => {
  if (verb === "exit") return Number(value);
  if (verb === "throw") throw new Error("thrown");
  if (verb === "wait") {
    Deno.addSignalListener("SIGTERM", () => Deno.exit(7));
    console.log("ready");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  } else if (verb === "child") {
    const child = await new Deno.Command("/bin/ls", { args: ["-l", "/proc/self/fd"] }).output();
    console.log(new TextDecoder().decode(child.stdout));
  } else if (verb === "ffi") {
    const libc = Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32", nonblocking: true } });
    console.log(await libc.symbols.getpid() === Deno.pid);
  } else {
    const env = Deno.env.toObject();
    const self = new TextDecoder().decode(Deno.readFileSync("/proc/self/cmdline")).split("\\0").slice(0, -1);
    const comm = Deno.readTextFileSync("/proc/self/comm").trim();
    const { isFromCache } = module;
    const peakKiB = Number(/VmHWM:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1]);
    console.log(JSON.stringify({ args: Deno.args, env, self, comm, exe: Deno.execPath(), isFromCache, peakKiB }));
  }
  return 0;
};
`;

/** What the stub puts into the environment. */
const ADDED = { DENO_DIR: "/dev/null", DENO_LOG: "error,deno::cache=off", DENO_NO_UPDATE_CHECK: "1" };

interface Seen {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly self: readonly string[];
  readonly comm: string;
  readonly exe: string;
  readonly isFromCache: boolean;
  readonly peakKiB: number;
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const directory = Deno.makeTempDirSync({ prefix: "portsnare-executable-" });
const probe = `${directory}/portsnare`;
await writeExecutable(probe, PROBE);
addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));

async function run(command: readonly string[], options: Deno.CommandOptions = {}): Promise<Ran> {
  const [program = "", ...args] = command;
  const output = await new Deno.Command(program, { stdin: "null", ...options, args }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    out: decoder.decode(output.stdout).trim(),
    err: decoder.decode(output.stderr).trim(),
  };
}

async function see(
  args: readonly string[],
  { executable = probe, ...options }: Deno.CommandOptions & { readonly executable?: string } = {},
): Promise<Seen> {
  const ran = await run([executable, ...args], options);
  assert.equal(ran.code, 0, ran.err);
  // The probe above prints this shape.
  return JSON.parse(ran.out) as Seen;
}

const ARGUMENTS: readonly (readonly string[])[] = [
  [],
  ["--version"],
  ["--", "--help", "-A"],
  ["--allow-none", "--v8-flags=--help", "--inspect", "-r"],
  ["", " ", "a b", "é", "*"],
  Array.from({ length: 20_000 }, (_, index) => String(index)),
];

for (const args of ARGUMENTS) {
  const shown = args.length > 9 ? `${args.length} arguments` : JSON.stringify(args);
  Deno.test(`the executable hands ${shown} to the program and none of it to the runtime`, async () => {
    const seen = await see(args);
    assert.deepEqual(seen.args, args);
    assert.deepEqual(seen.self, [probe, ...args], "ps must show portsnare's own arguments");
    assert.equal(seen.comm, "portsnare");
    assert.equal(seen.exe, probe);
  });
}

Deno.test("the executable starts with an empty environment, and adds only what keeps the runtime quiet", async () => {
  const seen = await see([], { clearEnv: true });
  assert.deepEqual(seen.env, ADDED);
});

Deno.test("the executable takes settings of Deno and Node.js out of the environment, and nothing else", async () => {
  const hostile = {
    DENO_V8_FLAGS: "--no-such-flag",
    DENO_DIR: `${directory}/cache`,
    DENO_COVERAGE_DIR: `${directory}/coverage`,
    DENO_LOG: "trace",
    DENO_AUDIT_PERMISSIONS: `${directory}/audit`,
    DENO_NO_UPDATE_CHECK: "0",
    NODE_OPTIONS: "--require /nonexistent.js",
    NODE_CHANNEL_FD: "0",
    OTEL_DENO: "true",
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/",
  };
  const kept = { DENOMINATION: "x", PATH: "/bin", NODE: "y", LANG: "C", EMPTY: "" };
  const seen = await see([], { clearEnv: true, env: { ...hostile, ...kept } });
  assert.deepEqual(seen.env, { ...kept, ...ADDED });
  const names = [...Deno.readDirSync(directory)].map((entry) => entry.name);
  assert.deepEqual(names, ["portsnare"], "the runtime wrote a file");
});

Deno.test("the executable takes a large program from V8's code cache, and no parser of the runtime's sees it", async () => {
  const functions = Array.from(
    { length: 20_000 },
    (_, i) => `function f${i}(a) { return a.map((it) => [it, ${i}]); }`,
  );
  const large = `${directory}/large`;
  await writeExecutable(large, `${functions.join("\n")} // é\n${PROBE}`);
  const [little, much] = [await see([]), await see([], { executable: large })];
  await Deno.remove(large);
  assert.ok(little.isFromCache && much.isFromCache, "V8 compiled the program anew");
  // The runtime's own parser needs thirty times as much memory as the text has bytes.
  const grownKiB = much.peakKiB - little.peakKiB;
  const textKiB = functions.join("\n").length / 1024;
  assert.ok(grownKiB < 8 * textKiB, `${textKiB} KiB of text need ${grownKiB} KiB of memory`);
});

Deno.test("the executable is the same to the byte when it is built again from the same program", async () => {
  const again = `${directory}/again`;
  await writeExecutable(again, PROBE);
  const [one, other] = [await Deno.readFile(probe), await Deno.readFile(again)];
  await Deno.remove(again);
  assert.ok(Buffer.from(one.buffer).equals(other));
});

Deno.test("the executable reads no configuration from the directory that it is started in", async () => {
  const trap = await Deno.makeTempDir({ prefix: "portsnare-cwd-" });
  try {
    for (const name of ["deno.json", "package.json", "deno.lock", ".npmrc", ".env", "tsconfig.json"]) {
      await Deno.writeTextFile(`${trap}/${name}`, "{ this is no JSON");
    }
    assert.deepEqual((await see(["x"], { cwd: trap, clearEnv: true })).args, ["x"]);
  } finally {
    await Deno.remove(trap, { recursive: true });
  }
});

Deno.test("the executable says nothing of its own on a terminal", async () => {
  const ran = await run(["script", "--quiet", "--return", "--command", `${probe} exit 5`, "/dev/null"]);
  assert.deepEqual(ran, { code: 5, out: "", err: "" });
});

Deno.test("the executable tells on standard error of an error that the program did not catch", async () => {
  const ran = await run([probe, "throw"]);
  assert.equal(ran.code, 1);
  assert.match(ran.err, /Uncaught .*Error: thrown/);
});

Deno.test("the executable leaves with the program's exit code", async () => {
  for (const code of [0, 1, 64, 78]) assert.equal((await run([probe, "exit", String(code)])).code, code);
});

Deno.test("the executable passes signals on to the program", async () => {
  const child = new Deno.Command(probe, { args: ["wait"], stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 7);
  await reader.cancel();
});

Deno.test("the executable does not hand the program's file to the commands that it starts", async () => {
  const ran = await run([probe, "child"]);
  assert.match(ran.out, / 1 -> pipe:/, ran.err);
  assert.doesNotMatch(ran.out, /memfd:/);
});

Deno.test("the executable calls C functions, on other threads too", async () => {
  assert.equal((await run([probe, "ffi"])).out, "true");
});

Deno.test("the executable starts from a read-only file system without home and temporary directory", async () => {
  const script =
    `mount --make-rprivate / && mount -t tmpfs -o ro,noexec none /tmp && mount -o remount,ro,bind / &&
    exec env -i /proc/self/fd/9 x`;
  const ran = await run(["unshare", "--mount", "sh", "-c", `exec 9<${probe} && ${script}`]);
  assert.equal(ran.code, 0, ran.err);
  assert.match(ran.out, /"args":\["x"\]/);
});

Deno.test("the executable starts 50 times out of 50 wherever the kernel maps it", async () => {
  for (let start = 0; start < 50; start++) {
    const ran = await run([probe, "exit", "3"]);
    assert.equal(ran.code, 3, `start ${start}: ${ran.err}`);
  }
});

Deno.test("portsnare as built names its version and the way it was built", async () => {
  const path = Deno.env.get("PORTSNARE_EXECUTABLE") ??
    new URL("../../dist/portsnare", import.meta.url).pathname;
  const ran = await run([path, "--version"], { clearEnv: true });
  assert.match(ran.out, /^portsnare \d+\.\d+\.\d+ \(deno \d+\.\d+\.\d+, (patched|compiled)\)$/, ran.err);
});
