import assert from "node:assert/strict";
import fc from "fast-check";
import { configSchema, defaultConfig, KEY_DOCS } from "../../../src/config/schema.ts";

const schema = configSchema(() => undefined);

Deno.test("C16: defaultConfig bans nobody, and watches both protocols", () => {
  const { tcp, udp, actions, detect } = defaultConfig();
  assert.deepEqual([tcp.response, udp.response], ["observe", "observe"]);
  assert.deepEqual([tcp.mode, udp.mode], ["advanced", "advanced"]);
  assert.deepEqual([tcp.ports.size, udp.ports.size], [26, 21], "the ports of PortSentry's own file");
  assert.equal(udp.exclude.has(68), true, "the DHCP client, which PortSentry forgot");
  assert.deepEqual([actions.firewall, detect.scan_trigger], ["nftables", 3]);
});

Deno.test("configSchema takes every default as it is documented", () => {
  const file = Object.fromEntries([...KEY_DOCS].map(([section, keys]) => [
    section,
    Object.fromEntries(
      [...keys].flatMap(([key, doc]) => doc.default === undefined ? [] : [[key, doc.default]]),
    ),
  ]));
  assert.deepEqual(schema.parse(file), defaultConfig());
});

Deno.test("configSchema.parse throws everything that is wrong at once", () => {
  assert.throws(() => schema.parse({ tcp: { mode: 1 }, detect: { windows: "1m" } }), (error: Error) => {
    assert.deepEqual(error.message.split("\n"), [
      'unknown key "windows" in [detect]; did you mean "window"?',
      'tcp.mode: expected "off", "connect", "stealth" or "advanced", found 1',
    ]);
    return error instanceof TypeError;
  });
});

Deno.test("configSchema.safeParse takes any value without an exception", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    const checked = schema.safeParse(value);
    assert.ok(checked.success || checked.error.issues.length > 0);
  }));
  const section = fc.constantFrom(...KEY_DOCS.keys());
  const key = fc.constantFrom(...[...KEY_DOCS.values()].flatMap((keys) => [...keys.keys()]));
  fc.assert(fc.property(section, key, fc.anything({ withNullPrototype: true }), (name, field, value) => {
    const checked = schema.safeParse({ [name]: { [field]: value } });
    for (const issue of checked.success ? [] : checked.error.issues) assert.equal(issue.path[0], name);
  }));
});
