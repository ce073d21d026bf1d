/**
 * A capture file of any known format, as batches of packets: a file of many gigabytes needs no more memory than a small
 * one.
 * @module
 */
import { EXIT, messageOf, UserError } from "../errors.ts";
import { ByteQueue } from "./byte_queue.ts";
import { type CapturedPacket, type CaptureReader, viewOf } from "./capture_reader.ts";
import { pcapFormat, PcapReader } from "./pcap.ts";
import { isPcapng, PcapngReader } from "./pcapng.ts";

const MAGIC_BYTES = 4;
const GZIP_MAGIC = 0x1f8b;
/** Packers that we do not know how to unpack; the first bytes of their files. */
const PACKERS = [
  { name: "xz", magic: 0xfd377a58, mask: 0xffffffff },
  { name: "zstd", magic: 0x28b52ffd, mask: 0xffffffff },
  { name: "lz4", magic: 0x04224d18, mask: 0xffffffff },
  { name: "bzip2", magic: 0x425a6800, mask: 0xffffff00 },
] as const;
const CHUNK_BYTES = 1 << 18;

/** Packets that stand next to each other in the file. */
export interface CaptureBatch {
  /** In file order. Their bytes are valid until the next batch is asked for. */
  readonly packets: readonly CapturedPacket[];
  /** Why the file could not be read any further, and from which byte on; then there is no next batch. */
  readonly fault?: CaptureFault;
}

/** Where and why a capture file is wrong. */
export interface CaptureFault {
  /** Bytes into the (unpacked) file. */
  readonly offset: number;
  /** What is wrong there. */
  readonly message: string;
}

/**
 * The bytes of a capture file; gzip is unpacked on the way.
 *
 * @throws UserError When there is no such file, or it may not be read.
 */
export async function openCapture(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const magic = new Uint8Array(2);
    {
      using file = await Deno.open(path);
      await file.read(magic);
    }
    const file = await Deno.open(path);
    return viewOf(magic).getUint16(0) === GZIP_MAGIC
      ? file.readable.pipeThrough(new DecompressionStream("gzip"))
      : chunksOf(file);
  } catch (cause) {
    throw new UserError(`Cannot read the capture ${path}: ${messageOf(cause)}`, {
      exitCode: EXIT.badData,
      cause,
    });
  }
}

/** The packets of a capture. Never throws for what the bytes are: the last batch then carries a fault. */
export async function* readCapture(stream: AsyncIterable<Uint8Array>): AsyncGenerator<CaptureBatch> {
  const queue = new ByteQueue();
  let reader: CaptureReader | undefined;
  try {
    for await (const chunk of stream) {
      queue.push(chunk);
      if (reader === undefined) {
        const magic = queue.peek(MAGIC_BYTES);
        if (magic === undefined) continue;
        reader = readerFor(magic);
        if (reader === undefined) return yield failed(queue, `this is ${nameOf(magic)}`);
      }
      const batch = drain(reader, queue);
      yield batch;
      if (batch.fault !== undefined) return;
    }
  } catch (error) {
    // The stream, not the reader: a disk fault, or a gzip file that is damaged.
    return yield failed(queue, messageOf(error));
  }
  if (reader === undefined) yield failed(queue, "the file is empty or ends within its first four bytes");
  else if (queue.available > 0 || queue.owes) yield failed(queue, "the file ends in the middle of a record");
}

function readerFor(magic: Uint8Array): CaptureReader | undefined {
  const format = pcapFormat(magic);
  if (format !== undefined) return new PcapReader(format);
  return isPcapng(magic) ? new PcapngReader() : undefined;
}

/** What a file is that begins like this, and what can be done about it. */
function nameOf(magic: Uint8Array): string {
  const start = viewOf(magic).getUint32(0);
  const packer = PACKERS.find(({ magic, mask }) => ((start & mask) >>> 0) === magic)?.name;
  if (packer !== undefined) return `packed with ${packer}; unpack it first (${packer} -d)`;
  return "neither pcap nor pcapng";
}

function drain(reader: CaptureReader, queue: ByteQueue): CaptureBatch {
  const packets: CapturedPacket[] = [];
  for (;;) {
    const offset = queue.position;
    const step = reader.next(queue);
    if (step.kind === "packet") packets.push(step.packet);
    else if (step.kind === "more") return { packets };
    else if (step.kind === "fault") return { packets, fault: { offset, message: step.message } };
  }
}

function failed(queue: ByteQueue, message: string): CaptureBatch {
  return { packets: [], fault: { offset: queue.position, message } };
}

async function* chunksOf(file: Deno.FsFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using open = file;
  // The queue copies what it is given, so one chunk serves for the whole file. An unpacker would keep it.
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const count = await open.read(chunk);
    if (count === null) return;
    yield chunk.subarray(0, count);
  }
}
