import { statSync } from 'node:fs';
import { appendFile, truncate } from 'node:fs/promises';
import type { ExecSpec } from './exec.js';

/** What one command may leave in a file. */
export const OUTPUT_CAP_BYTES = 64 * 1024 * 1024;

/**
 * Cuts the files of a command that floods back to the cap; called again and again while it runs. They are written with
 * O_APPEND, so the writer goes on at the cap. Limit: only while an agent is waiting for the command.
 */
export async function capOutput(spec: ExecSpec, capBytes: number): Promise<void> {
  for (const file of outputFiles(spec)) {
    if (sizeOf(file) > capBytes) await truncate(file, capBytes);
  }
}

/** The last cut, once nothing writes any more: what is beyond the cap is replaced by a line that says so. */
export async function closeOutput(spec: ExecSpec, capBytes: number): Promise<void> {
  for (const file of outputFiles(spec)) {
    if (sizeOf(file) < capBytes) continue;
    await truncate(file, capBytes);
    await appendFile(file, `\n[fraisier: output beyond ${capBytes} bytes was not kept]\n`);
  }
}

function outputFiles(spec: ExecSpec): readonly string[] {
  return spec.captureFile === null ? [spec.outputFile] : [spec.outputFile, spec.captureFile];
}

/** In the state folder, of which the kernel's cache knows. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
