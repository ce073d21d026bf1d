import assert from "node:assert/strict";
import { sharedFile, sharedPlace } from "../../../src/system/private_place.ts";

/** A user who owns everything that a test makes. */
const SELF = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };

async function inDirectory(body: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("sharedPlace finds nothing in a directory that only its owner writes to", async () => {
  await inDirectory((directory) => {
    assert.equal(sharedPlace(`${directory}/file`, SELF), undefined);
    assert.equal(sharedPlace(`${directory}/not/yet/made/file`, SELF), undefined);
    assert.equal(sharedPlace("/etc/hosts.deny", SELF), undefined);
  });
});

/** Modes of the directory that a file is to lie in, and of the one above it. */
const MODES = [
  { own: 0o777, above: 0o700, shared: true },
  { own: 0o1777, above: 0o700, shared: true },
  { own: 0o702, above: 0o700, shared: true },
  { own: 0o755, above: 0o777, shared: true },
  { own: 0o755, above: 0o1777, shared: false },
  { own: 0o755, above: 0o755, shared: false },
] as const;

for (const { own, above, shared } of MODES) {
  Deno.test(`sharedPlace says ${shared} for mode ${own.toString(8)} below ${above.toString(8)}`, async () => {
    await inDirectory(async (directory) => {
      await Deno.mkdir(`${directory}/above/own`, { recursive: true });
      await Deno.chmod(`${directory}/above/own`, own);
      await Deno.chmod(`${directory}/above`, above);
      assert.equal(sharedPlace(`${directory}/above/own/file`, SELF) !== undefined, shared);
    });
  });
}

Deno.test("sharedPlace says who else owns a directory, and which group may write to it", async () => {
  await inDirectory(async (directory) => {
    const stranger = { uid: SELF.uid + 1, gid: SELF.gid + 1 };
    if (SELF.uid !== 0) assert.match(sharedPlace(`${directory}/file`, stranger) ?? "", /belongs to user/);
    await Deno.chmod(directory, 0o770);
    assert.equal(
      sharedPlace(`${directory}/file`, SELF),
      undefined,
      "root's and the own group are no strangers",
    );
  });
});

Deno.test("sharedPlace looks at where a link leads", async () => {
  await inDirectory(async (directory) => {
    await Deno.mkdir(`${directory}/open`);
    await Deno.chmod(`${directory}/open`, 0o777);
    await Deno.symlink(`${directory}/open`, `${directory}/link`);
    assert.match(sharedPlace(`${directory}/link/file`, SELF) ?? "", /everybody can write to .*\/open$/);
    assert.match(
      sharedPlace(`${directory}/link/deeper/file`, SELF) ?? "",
      /everybody can write to .*\/open$/,
    );
  });
});

Deno.test("sharedFile looks at the mode of the file itself", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/config.toml`;
    await Deno.writeTextFile(file, "");
    await Deno.chmod(file, 0o644);
    assert.equal(sharedFile(file, SELF), undefined);
    await Deno.chmod(file, 0o646);
    assert.match(sharedFile(file, SELF) ?? "", /everybody can write to/);
    assert.equal(sharedFile(`${directory}/missing`, SELF), undefined);
  });
});
