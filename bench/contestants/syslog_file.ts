/**
 * Stands in for syslogd: `syslog_file.ts SOCKET FILE` writes every message that comes to the socket to the file, a line
 * each. A process of its own, so that nobody who logs has to wait.
 * @module
 */
const [socket = "", path = ""] = Deno.args;

using file = Deno.openSync(path, { create: true, append: true });
const datagrams = Deno.listenDatagram({ transport: "unixpacket", path: socket });
const newline = Uint8Array.of(10);
for await (const [message] of datagrams) {
  file.writeSync(message);
  file.writeSync(newline);
}
