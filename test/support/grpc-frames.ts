import type { Readable } from 'node:stream';

/** A flag and the length of what follows. */
const HEADER_BYTES = 5;

/** One message of a gRPC stream as it is on the wire. */
export interface Frame {
  /** With its header, to be passed on. */
  readonly bytes: Buffer;
  readonly message: Buffer;
}

/** The messages of one direction of a gRPC stream, each as soon as it is whole. */
export async function* framesOf(stream: Readable): AsyncGenerator<Frame> {
  let waiting = Buffer.alloc(0);
  for await (const chunk of stream) {
    waiting = Buffer.concat([waiting, chunk as Buffer]);
    for (let length = lengthOf(waiting); length <= waiting.length; length = lengthOf(waiting)) {
      const bytes = waiting.subarray(0, length);
      waiting = waiting.subarray(length);
      yield { bytes, message: bytes.subarray(HEADER_BYTES) };
    }
  }
}

/** Of the frame at the beginning; more than is there while its header is not whole. */
function lengthOf(bytes: Buffer): number {
  return bytes.length < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + bytes.readUInt32BE(1);
}
