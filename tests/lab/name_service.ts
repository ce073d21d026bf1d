/**
 * A name server for reverse names, as whoever owns an address block may run it: its first argument is JSON of addresses
 * and their names, each a list of labels in which every character is one byte. What it does not know has no name; what
 * has an empty list gets no answer at all. Prints `ready` when it listens, then every question.
 */
import { createSocket } from "node:dgram";

type Names = Readonly<Record<string, readonly string[]>>;

const PTR = 12;
/** Header flags: an answer, authoritative; and the same with "no such name". */
const FOUND = 0x8400;
const NO_SUCH_NAME = 0x8403;

const names: Names = JSON.parse(Deno.args[0] ?? "{}");
const socket = createSocket("udp4");
socket.on("message", (question, from) => {
  const { name, end } = questionOf(question);
  console.log(name);
  const labels = names[addressOf(name)];
  if (labels?.length === 0) return;
  socket.send(answerTo(question.subarray(0, end), labels), from.port, from.address);
});
socket.bind(53, "0.0.0.0", () => console.log("ready"));

/** The name that is asked for, and where the question ends. */
function questionOf(bytes: Uint8Array): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 5 };
}

function addressOf(name: string): string {
  const four = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/i.exec(name);
  return four === null ? name : four.slice(1).reverse().join(".");
}

function answerTo(question: Uint8Array, labels: readonly string[] | undefined): Uint8Array {
  const encoded = (labels ?? []).flatMap((
    label,
  ) => [label.length, ...Array.from(label, (c) => c.charCodeAt(0))]);
  const data = [...encoded, 0];
  const record = labels === undefined ? [] : [
    ...[0xc0, 12, 0, PTR, 0, 1], // The name of the question, type, class.
    ...[0, 0, 0, 60], // Seconds to live.
    ...[data.length >> 8, data.length & 255],
    ...data,
  ];
  const message = Uint8Array.of(...question, ...record);
  const header = new DataView(message.buffer);
  header.setUint16(2, labels === undefined ? NO_SUCH_NAME : FOUND);
  header.setUint16(4, 1);
  header.setUint16(6, labels === undefined ? 0 : 1);
  header.setUint32(8, 0);
  return message;
}
