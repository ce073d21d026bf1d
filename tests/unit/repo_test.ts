import assert from "node:assert/strict";
import { exampleConfig } from "../../src/config/example.ts";
import { importsOf, type SourceFile, sourceFile, sourceFiles } from "./repo/sources.ts";

/** The stages in the order in which a packet goes through them (see CONTRIBUTING.md). A stage knows those before it. */
const STAGES = ["capture", "decode", "detect", "respond", "record"];

/** What the stages stand on, each on those before it. */
const BASES = ["errors.ts", "version.ts", "quantity.ts", "net", "ffi", "system", "config", "host"];

/** These stages see nothing but values, so that a capture file is judged exactly as live packets are. */
const PURE_STAGES: Readonly<Record<string, readonly string[]>> = {
  decode: ["decode", "net"],
  detect: ["detect", "decode", "capture", "net", "config"],
};

/** The runtime's doors to C and to pointers. */
const FOREIGN = /\bDeno\.(?:dlopen|Unsafe\w+|Pointer\w+|DynamicLibrary|ForeignLibraryInterface)\b/;

/** Longer files hold a second noun. Tables of cases make tests longer than what they test. */
const MAX_LINES = { source: 400, test: 600 };

/** Longer functions do a second thing. */
const MAX_FUNCTION_LINES = 80;

const VAGUE_NAMES = /(?:^|_)(?:utils?|helpers?|types|common|index|misc|stuff)\.ts$/;

/** Test files that mirror no source file, and what they test instead. */
const WITHOUT_SOURCE: Readonly<Record<string, string>> = {
  "tests/unit/repo_test.ts": "this repository",
  "tests/unit/man_test.ts": "scripts/man.ts",
  "tests/unit/test_summary_test.ts": "scripts/test_summary.ts",
  "tests/unit/docs_portsentry_test.ts": "docs/portsentry.md",
  "tests/unit/elf_patch_test.ts": "scripts/elf",
  "tests/unit/threat_model_test.ts": "docs/threat-model.md",
  "tests/unit/fuzz_test.ts": "every reader, by the table of tests/fuzz/targets.ts",
  "tests/unit/config/portsentry/stock_files_test.ts": "the files that PortSentry's packages install",
  "tests/unit/host/netlink_formats_test.ts": "what several files of src/host read from the kernel",
};

/** Fails with every violation at once, and says what to do about them. */
function assertNone(violations: readonly string[], whatToDo: string): void {
  assert.equal(violations.length, 0, `${whatToDo}:\n  ${violations.join("\n  ")}\n`);
}

/** The folder or file right below src/ that a path belongs to. */
function partOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** How far along the way a part is: it may use what is not further. What is none of the two lists stands above all. */
function rankOf(part: string): number {
  const rank = [...BASES, ...STAGES].indexOf(part);
  return rank < 0 ? Infinity : rank;
}

async function sources(): Promise<readonly SourceFile[]> {
  return await sourceFiles(["src"], [".ts"]);
}

Deno.test("imports point back along the way of a packet, or down to what the stages stand on", async () => {
  const violations = (await sources()).flatMap((file) =>
    importsOf(file)
      // What host/ answers is asked in the words of the stages: it may name their types, and only those.
      .filter(({ typeOnly }) => !(typeOnly && partOf(file.path) === "host"))
      .filter(({ target }) => rankOf(partOf(target)) > rankOf(partOf(file.path)))
      .map(({ target }) => `${file.path} imports ${target}`)
  );
  assertNone(
    violations,
    `Move what both need to a folder further left in ${
      [...BASES, ...STAGES].join(" < ")
    }, or pass it in as a parameter`,
  );
});

Deno.test("decode and detect import nothing that could ask the host or the clock", async () => {
  const violations = (await sources()).flatMap((file) => {
    const allowed = PURE_STAGES[partOf(file.path)];
    if (allowed === undefined) return [];
    const foreign = importsOf(file).filter(({ target }) => !allowed.includes(partOf(target)));
    const asks = /\b(?:Deno\.|Date\.now\(|new Date\(\)|performance\.now\(|Math\.random\()/.exec(codeOf(file));
    return [
      ...foreign.map(({ target }) => `${file.path} imports ${target}`),
      ...(asks === null ? [] : [`${file.path} uses ${asks[0]}`]),
    ];
  });
  assertNone(
    violations,
    "Judging must give the same answer for a capture file: pass the fact or the time in",
  );
});

Deno.test("the FFI fence: only src/ffi names the runtime's doors to C", async () => {
  const violations = (await sources())
    .filter((file) => partOf(file.path) !== "ffi" && FOREIGN.test(codeOf(file)))
    .map((file) => `${file.path}: ${FOREIGN.exec(codeOf(file))?.[0]}`);
  assertNone(
    violations,
    "Write a wrapper in src/ffi that takes and gives numbers, text, bytes or a Disposable",
  );
});

Deno.test("every source file opens with what it is for", async () => {
  const violations = (await sources())
    .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*\n \* \S(?:(?!\*\/)[\s\S])*\n \* @module\n \*\//.test(text))
    .map(({ path }) => path);
  assertNone(violations, "Begin the file with /** What it turns into what. … @module */");
});

Deno.test("files and functions are short enough to be read at once", async () => {
  const files = await sourceFiles(["src", "tests", "scripts"], [".ts", ".sh"]);
  const long = files.filter(({ path, text }) =>
    text.split("\n").length - 1 > (path.startsWith("tests/") ? MAX_LINES.test : MAX_LINES.source)
  );
  assertNone(long.map(({ path }) => path), "Find the second noun in the file and give it one of its own");
  const functions = (await sources()).flatMap((file) => [...longFunctions(file)]);
  assertNone(
    functions,
    `Over ${MAX_FUNCTION_LINES} lines: find the second verb and give it a function of its own`,
  );
});

Deno.test("files are named in snake_case after one thing", async () => {
  const names = (await sourceFiles(["src", "tests", "scripts"], [".ts"])).map(({ path }) => path);
  const violations = names.filter((path) => !/^[a-z0-9_/]+\.ts$/.test(path) || VAGUE_NAMES.test(path));
  assertNone(
    violations,
    "Name the file in small letters and underscores after the one noun or verb that it holds",
  );
});

Deno.test("the linter keeps out any and non-null assertions, and nobody tells it not to", async () => {
  const config: unknown = JSON.parse((await sourceFile("deno.json"))?.text ?? "{}");
  const text = JSON.stringify(config);
  assert.ok(
    text.includes('"recommended"') && text.includes('"no-non-null-assertion"'),
    "deno.json: keep both in lint",
  );
  const violations = (await sourceFiles(["src", "tests", "scripts"], [".ts"])).flatMap(({ path, text }) =>
    [...text.matchAll(/deno-lint-ignore[^\n]*/g)]
      .filter(([line]) => /no-explicit-any|no-non-null|ignore-file/.test(line) || !line.includes(" "))
      .map(([line]) => `${path}: ${line}`)
  ).filter((line) => !line.startsWith("tests/unit/repo_test.ts"));
  assertNone(violations, "Use unknown and check it, or say with a type what cannot be missing");
});

Deno.test("functions at top level are declared as functions", async () => {
  const arrow =
    /^(?:export )?(?:const|let) (\w+)[^=\n]*= (?:async )?(?:<[^>]*>)?(?:\([^)]*\)(?::[^=]*)?|\w+) =>/gm;
  const violations = (await sources()).flatMap(({ path, text }) =>
    [...text.matchAll(arrow)].map((match) => `${path}: ${match[1]}`)
  );
  assertNone(
    violations,
    "Write `function name(…)`: it shows its name in stack traces and can stand below its callers",
  );
});

Deno.test("nothing is left unfinished or switched off", async () => {
  // Put together here, so that this file does not find itself.
  const words = new RegExp(
    [
      `\\b(?:TO${"DO"}|FIX${"ME"}|XX${"X"}|HA${"CK"})\\b`,
      `not (?:yet )?imple${"mented"}`,
      `\\.on${"ly"}\\(`,
      `ignore: ${"true"}`,
    ]
      .join("|"),
  );
  const files = await sourceFiles(["src", "tests", "scripts", "debian"], [
    ".ts",
    ".sh",
    ".md",
    "rules",
    "control",
  ]);
  const violations = files.flatMap((file) => linesWith(file, words));
  assertNone(violations, "Finish it, or take it out and write down what is missing where users read it");
});

Deno.test("no file names the machines that it was made on", async () => {
  const places = new RegExp(`/wo${"rk"}/|https?://(?:regis${"try"}|de${"b"})\\.`);
  const folders = ["src", "tests", "scripts", "debian", "docs", "man"];
  const files = [
    ...await sourceFiles(folders, [
      ".ts",
      ".sh",
      ".md",
      ".toml",
      ".in",
      ".8",
      ".service",
      "rules",
      "control",
    ]),
  ];
  for (
    const path of [
      "README.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      "Makefile",
      "deno.json",
      "config.example.toml",
    ]
  ) {
    const file = await sourceFile(path);
    if (file !== undefined) files.push(file);
  }
  assertNone(files.flatMap((file) => linesWith(file, places)), "Write a path or host that everybody has");
});

Deno.test("the files that CONTRIBUTING.md and docs/dependencies.md name are there", async () => {
  const known = (await sourceFiles(["src", "tests", "scripts", "bench", "docs"], [".ts", ".sh", ".md"]))
    .map(({ path }) => path);
  const violations: string[] = [];
  for (const path of ["CONTRIBUTING.md", "docs/dependencies.md"]) {
    const text = (await sourceFile(path))?.text ?? "";
    for (const [, name = ""] of text.matchAll(/`([a-z0-9_/]+\.(?:ts|sh|md))`/g)) {
      if (!known.some((file) => file === name || file.endsWith(`/${name}`))) {
        violations.push(`${path} names ${name}`);
      }
    }
  }
  assertNone(violations, "Say where it is now");
});

Deno.test("config.example.toml is what the schema says", async () => {
  const file = await sourceFile("config.example.toml");
  assert.equal(file?.text.trimEnd(), exampleConfig().trimEnd(), "Write it anew: deno task example");
});

Deno.test("every test file has tests that can fail", async () => {
  const tests = (await sourceFiles(["tests"], ["_test.ts"])).map((file) => ({
    path: file.path,
    code: file.text,
  }));
  const violations = tests
    .filter(({ code }) => !/^\s*Deno\.test\(/m.test(code) || !/\bassert\b|\bassert\w+\(/.test(code))
    .map(({ path }) => path);
  assertNone(violations, "Write a Deno.test with an assertion in it, or remove the file");
});

Deno.test("every unit test mirrors a source file", async () => {
  const paths = new Set((await sourceFiles(["src", "bench"], [".ts"])).map(({ path }) => path));
  const violations = (await sourceFiles(["tests/unit"], ["_test.ts"]))
    .map(({ path }) => path)
    .filter((path) => !(path in WITHOUT_SOURCE))
    .filter((path) => !tested(path).some((source) => paths.has(source)));
  assertNone(
    violations,
    "Call the test after the file that it tests (and the aspect, if you like), or say in WITHOUT_SOURCE what it is about",
  );
});

/** The files that a unit test may be about: `replay_captures_test.ts` tests `replay_captures.ts` or `replay.ts`. */
function tested(path: string): readonly string[] {
  const source = path.replace(/^tests\/unit\//, "").replace(/^(?!bench\/)/, "src/");
  const words = source.replace(/_test\.ts$/, "").split("_");
  return words.map((_, index) => `${words.slice(0, index + 1).join("_")}.ts`);
}

/** The text without comments and strings, roughly: good enough to look for names in. */
function codeOf({ text }: SourceFile): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`\\])\/\/[^\n]*/g, "").replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
}

function linesWith({ path, text }: SourceFile, pattern: RegExp): readonly string[] {
  return text.split("\n").flatMap((line, index) =>
    pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []
  );
}

/** Functions and methods from their first line to the brace in the same column that ends them. */
function* longFunctions({ path, text }: SourceFile): Iterable<string> {
  const lines = text.split("\n");
  for (const [start, line] of lines.entries()) {
    const head = /^( {0,2})(?:export |async |static |get )*(?:function\b|[#*\w]+\().*\{$/.exec(line);
    if (head === null || /^\s*(?:if|for|while|switch|return)\b/.test(line)) continue;
    const length = lines.slice(start + 1).findIndex((other) => other === `${head[1]}}`) + 2;
    if (length > MAX_FUNCTION_LINES) yield `${path}:${start + 1}: ${length} lines: ${line.trim()}`;
  }
}
