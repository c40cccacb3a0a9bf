import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecEnd, ExecSpec } from './exec.js';
import { capOutput, closeOutput } from './output-cap.js';

export type Looked = ExecEnd | { readonly ended: 'running' };

export interface Patience {
  /** From one look to the next, doubling from the first to the most. */
  readonly firstMs: number;
  readonly mostMs: number;
  readonly capBytes: number;
}

/** Looks until the command has ended, and keeps its output within bounds. Rejects with the signal's reason when it aborts. */
export async function untilEnded(
  spec: ExecSpec,
  signal: AbortSignal,
  look: () => Promise<Looked>,
  { firstMs, mostMs, capBytes }: Patience,
): Promise<ExecEnd> {
  for (let pause = firstMs; ; pause = Math.min(pause * 2, mostMs)) {
    signal.throwIfAborted();
    const looked = await look();
    if (looked.ended !== 'running') {
      await closeOutput(spec, capBytes);
      return looked;
    }
    await capOutput(spec, capBytes);
    await sleep(pause);
  }
}
