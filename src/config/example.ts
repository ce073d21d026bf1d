/**
 * Writes config.example.toml from the schema: every section, key, default and help text.
 * @module
 */
import type { KeyDoc } from "./key.ts";
import { KEY_DOCS, SECTION_DOCS } from "./schema.ts";
import { tomlComment, tomlLine } from "./toml_text.ts";

const INTRODUCTION =
  "The configuration of portsnare, as /etc/portsnare/config.toml. Every key is here with its " +
  "default, so that this file as it stands changes nothing; what is commented out is unset by default.\n" +
  "\n" +
  "Files in /etc/portsnare/conf.d that end in .toml are read after it, in name order; what they say wins. " +
  "Try a change with `portsnare check`, make it count with `portsnare reload`.";

/** What an unset key might be set to. */
const SAMPLES: Readonly<Record<string, string>> = {
  kill_route: "/usr/sbin/iptables -I INPUT -s $TARGET$ -j DROP",
  kill_hosts_deny: "ALL: $TARGET$ : DENY",
  kill_run_cmd: "/usr/local/bin/scanned $TARGET$ $PORT$ $MODE$",
  unblock_cmd: "/usr/sbin/iptables -D INPUT -s $TARGET$ -j DROP",
  port_banner: "This connection has been logged.",
  blocked: "/var/lib/portsentry/portsentry.blocked",
};

/** The text of config.example.toml. */
export function exampleConfig(): string {
  const sections = [...KEY_DOCS].map(([section, keys]) =>
    [
      tomlComment(SECTION_DOCS[section] ?? ""),
      `[${section}]`,
      ...[...keys].map(([key, doc]) => `${tomlComment(describe(doc))}\n${setting(key, doc)}\n`),
    ].join("\n")
  );
  return `${tomlComment(INTRODUCTION)}\n\n${sections.join("\n")}`;
}

function describe(doc: KeyDoc): string {
  const origin = doc.portsentry === undefined ? "" : ` PortSentry: ${doc.portsentry}.`;
  const restart = doc.needsRestart === true ? " A change needs a restart." : "";
  return `${doc.help} Takes ${doc.form}.${restart}${origin}`;
}

function setting(key: string, doc: KeyDoc): string {
  return doc.default === undefined ? `#${tomlLine(key, SAMPLES[key] ?? "")}` : tomlLine(key, doc.default);
}

if (import.meta.main) console.log(exampleConfig().trimEnd());
