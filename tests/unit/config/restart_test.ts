import assert from "node:assert/strict";
import { restartKeys } from "../../../src/config/restart.ts";
import { defaultConfig, KEY_DOCS } from "../../../src/config/schema.ts";

Deno.test("restartKeys names what differs and is read at the start only, and nothing else", () => {
  const before = defaultConfig();
  assert.deepEqual(restartKeys(before, before), []);
  const files = { ...before.files, state: "/x/state.db", history: "/x/history" };
  assert.deepEqual(restartKeys(before, { ...before, files }), ["files.state"]);
  const socket = { ...files, control_socket: "/x/control.sock" };
  assert.deepEqual(restartKeys(before, { ...before, files: socket }), [
    "files.state",
    "files.control_socket",
  ]);
});

Deno.test("only what cannot be changed under a running daemon needs a restart", () => {
  const keys = [...KEY_DOCS].flatMap(([section, docs]) =>
    [...docs].filter(([, doc]) => doc.needsRestart === true).map(([key]) => `${section}.${key}`)
  );
  assert.deepEqual(keys, ["files.state", "files.control_socket"]);
});
