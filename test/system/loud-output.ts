import { expect } from 'chai';
import type { StepContext } from '../../agent/steps/step.js';
import type { LogLine } from '../../proto/gen/fraisier/v1/control.js';

const LINE_BYTES = 256;
const WRITTEN_AT_ONCE = 256 * LINE_BYTES;
/** Recorded beside the output, so that there is too much of both. */
export const NOTES = 4;
export const NOTE_BYTES = 8 * 1024;

/** So many bytes that no other host and no other part prints, and some notes. */
export async function printPart(
  host: string,
  part: number,
  bytes: number,
  { log, note }: StepContext,
): Promise<void> {
  const text = partOf(host, part, bytes);
  for (let at = 0; at < bytes; at += WRITTEN_AT_ONCE)
    await log(text.subarray(at, at + WRITTEN_AT_ONCE - 1).toString());
  for (let number = 1; number <= NOTES; number += 1)
    await note('waiting', `${number} `.padEnd(NOTE_BYTES, 'x'));
}

/** Reads to the end: every byte of both parts of every host once and in order. `before` was read before. */
export async function expectBothParts(
  hosts: readonly string[],
  bytes: number,
  stream: AsyncIterable<LogLine>,
  before: readonly LogLine[] = [],
): Promise<void> {
  const printed = new Map(hosts.map((host) => [host, [] as Uint8Array[]]));
  for (const { host, data } of before) printed.get(host)?.push(data);
  for await (const { host, data } of stream) printed.get(host)?.push(data);
  for (const [host, chunks] of printed) {
    const whole = Buffer.concat([partOf(host, 0, bytes), partOf(host, 1, bytes)]);
    expect(Buffer.concat(chunks).equals(whole), `the output of ${host}`).to.equal(true);
  }
}

function partOf(host: string, part: number, bytes: number): Buffer {
  const lines = Array.from({ length: bytes / LINE_BYTES }, (_, line) =>
    `${host} ${part} ${line} `.padEnd(LINE_BYTES - 1, '.'),
  );
  return Buffer.from(`${lines.join('\n')}\n`);
}
