/**
 * Finds where in a TOML text every key and value stands, which the TOML parser does not tell.
 *
 * This is no second parser: it reads any text at all without an exception, and what it says of a text that the
 * parser refuses is only a good guess. On a text that the parser takes, every key and value has its place here.
 * @module
 */

/** Where a key and its value begin, as offsets into the text. For a table header both are the header's last name. */
export interface TomlPlace {
  /** Offset of the (last part of the) key, or of the item for items of arrays. */
  readonly key: number;
  /** Offset of the value. */
  readonly value: number;
}

/** One `key = value` or table header. */
export interface TomlStatement {
  /** Offset of its first character. */
  readonly start: number;
  /** Offset behind its last character. */
  readonly end: number;
  /** Whether it is a header, `[table]` or `[[table]]`. */
  readonly header: boolean;
  /** The names that it defines, from the outermost table inwards; items of `[[tables]]` are numbered from 0. */
  readonly path: readonly string[];
}

/** What {@link scanToml} found. */
export interface TomlMap {
  /** In file order. */
  readonly statements: readonly TomlStatement[];
  /** Offset of the first key with more than {@link MAX_DEPTH} parts; such keys are cut there. `undefined`: none. */
  readonly tooDeep: number | undefined;
  /** The place of a key (or array item, by its number), or `undefined`. The first one counts when it is repeated. */
  place(path: readonly PropertyKey[]): TomlPlace | undefined;
}

/** How deeply arrays, inline tables and dotted keys are followed; what is deeper is skipped. */
export const MAX_DEPTH = 32;

/** Where everything in `text` stands. */
export function scanToml(text: string): TomlMap {
  const scanner = new Scanner(text);
  scanner.scan();
  const { places, statements, tooDeep } = scanner;
  return { statements, tooDeep, place: (path) => places.get(pathKey(path)) };
}

/** The lines of a text, which is gone through once however many places are asked for. */
export class TextLines {
  /** The offset of each line's first character. */
  readonly #starts: readonly number[];

  /** The lines of `text`. */
  constructor(text: string) {
    const starts = [0];
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
    this.#starts = starts;
  }

  /** The line and column, both from 1, of an offset. */
  at(offset: number): { readonly line: number; readonly column: number } {
    let first = 0;
    let last = this.#starts.length - 1;
    while (first < last) {
      const middle = Math.ceil((first + last) / 2);
      if ((this.#starts[middle] ?? Infinity) <= offset) first = middle;
      else last = middle - 1;
    }
    return { line: first + 1, column: offset - (this.#starts[first] ?? 0) + 1 };
  }
}

function pathKey(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

/** One part of a key. */
interface Name {
  readonly name: string;
  readonly offset: number;
}

class Scanner {
  readonly places = new Map<string, TomlPlace>();
  readonly statements: TomlStatement[] = [];
  tooDeep: number | undefined;
  /** How many `[[tables]]` there are under each name. */
  readonly #tables = new Map<string, number>();
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    let table: readonly string[] = [];
    if (this.#text.startsWith("\ufeff")) this.#at = 1;
    for (this.#skipBlank(); this.#at < this.#text.length; this.#skipBlank()) {
      const start = this.#at;
      const header = this.#char() === "[";
      if (header) table = this.#header();
      const path = header ? table : this.#pair(table, 0);
      // What is open at the end of the text has been stepped over to make sure of an end.
      const end = Math.min(this.#at, this.#text.length);
      this.statements.push({ start, end, header, path });
      // What is left of the line is a comment, or something that the parser objects to.
      this.#skipTo(/\n/g);
    }
  }

  #header(): readonly string[] {
    const isArray = this.#text.startsWith("[[", this.#at);
    this.#at += isArray ? 2 : 1;
    const names = this.#names("]");
    let path: string[] = [];
    for (const [index, { name, offset }] of names.entries()) {
      path = [...path, name];
      this.#note(path, { key: offset, value: offset });
      const last = index === names.length - 1;
      const count = this.#tables.get(pathKey(path));
      if (last && isArray) {
        this.#tables.set(pathKey(path), (count ?? 0) + 1);
        path = [...path, String(count ?? 0)];
        this.#note(path, { key: offset, value: offset });
      } else if (count !== undefined) path = [...path, String(count - 1)];
    }
    while (this.#char() === "]") this.#at++;
    return path;
  }

  /** `key = value`. Gives the path of the key. */
  #pair(table: readonly string[], depth: number): readonly string[] {
    const names = this.#names("=");
    if (this.#char() === "=") this.#at++;
    this.#skipSpace();
    const value = this.#at;
    let path = table;
    for (const { name, offset } of names) {
      path = [...path, name];
      this.#note(path, { key: offset, value });
    }
    this.#value(path, depth);
    return path;
  }

  /** The parts of a dotted key, up to `end` or the end of the line. */
  #names(end: string): readonly Name[] {
    const names: Name[] = [];
    for (;;) {
      this.#skipSpace();
      const offset = this.#at;
      const char = this.#char();
      if (char === end || char === "" || char === "\n" || char === "\r") return names;
      if (char === ".") this.#at++;
      else if (char === '"' || char === "'") this.#name(names, { name: this.#quoted(), offset });
      else {
        this.#skipTo(/[\s.=\]"'#,{}[]/g);
        if (this.#at === offset) this.#at++;
        else this.#name(names, { name: this.#text.slice(offset, this.#at), offset });
      }
    }
  }

  /** The work for a key grows with the square of its parts. */
  #name(names: Name[], name: Name): void {
    if (names.length < MAX_DEPTH) names.push(name);
    else this.tooDeep ??= name.offset;
  }

  #value(path: readonly string[], depth: number): void {
    const char = this.#char();
    if (char === '"' || char === "'") this.#quoted();
    else if (char === "[") this.#array(path, depth + 1);
    else if (char === "{") this.#inlineTable(path, depth + 1);
    else this.#skipTo(depth === 0 ? /[#\n]/g : /[#\n,\]}]/g);
  }

  #array(path: readonly string[], depth: number): void {
    this.#at++;
    for (let index = 0; this.#at < this.#text.length; index++) {
      this.#skipBlank();
      if (this.#char() === "]") break;
      this.#item(() => {
        const item = [...path, String(index)];
        this.#note(item, { key: this.#at, value: this.#at });
        this.#value(item, depth);
      }, depth);
    }
    this.#at++;
  }

  #inlineTable(path: readonly string[], depth: number): void {
    this.#at++;
    while (this.#at < this.#text.length) {
      this.#skipBlank();
      if (this.#char() === "}") break;
      this.#item(() => this.#pair(path, depth), depth);
    }
    this.#at++;
  }

  /** One item and the comma behind it. Always moves on, whatever stands there. */
  #item(scan: () => void, depth: number): void {
    const start = this.#at;
    if (depth < MAX_DEPTH) scan();
    this.#skipBlank();
    if (this.#char() === "," || this.#at === start) this.#at++;
  }

  /** Reads past a string of any of the four kinds and gives what it says. */
  #quoted(): string {
    const quote = this.#char();
    const fence = this.#text.startsWith(quote.repeat(3), this.#at) ? quote.repeat(3) : quote;
    const start = this.#at += fence.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(fence, this.#at)) {
      if (fence.length === 1 && this.#char() === "\n") return this.#text.slice(start, this.#at);
      this.#at += quote === '"' && this.#char() === "\\" ? 2 : 1;
    }
    // Up to two quotes more may belong to the text of a multi-line string.
    while (fence.length === 3 && this.#text.startsWith(quote, this.#at + 3)) this.#at++;
    const written = this.#text.slice(start, this.#at);
    this.#at = Math.min(this.#at + fence.length, this.#text.length);
    return quote === '"' ? unescape(written) : written;
  }

  #note(path: readonly string[], place: TomlPlace): void {
    const key = pathKey(path);
    if (!this.places.has(key)) this.places.set(key, place);
  }

  #char(): string {
    return this.#text.charAt(this.#at);
  }

  #skipSpace(): void {
    this.#skipTo(/[^ \t]/g);
  }

  /** Skips white space, line ends and comments. */
  #skipBlank(): void {
    for (;;) {
      this.#skipTo(/[^ \t\r\n]/g);
      if (this.#char() !== "#") return;
      this.#skipTo(/\n/g);
    }
  }

  #skipTo(stop: RegExp): void {
    stop.lastIndex = this.#at;
    this.#at = stop.exec(this.#text)?.index ?? this.#text.length;
  }
}

function unescape(written: string): string {
  return written.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))/gs,
    (whole, u, long, x, char) => {
      if (char !== undefined) return ESCAPES[String(char)] ?? String(char);
      const code = parseInt(String(u ?? long ?? x), 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : String(whole);
    },
  );
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\x1b" };
