import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecEnd, ExecSpec } from './exec.js';
import { capOutput, closeOutput } from './output-cap.js';

export type Looked = ExecEnd | { readonly ended: 'running' };

export interface Patience {
  /** From one look to the next, doubling from the first to the most. */
  readonly firstMs: number;
  readonly mostMs: number;
  readonly capBytes: number;
  /** When there is one: aborts as soon as there may be something new to see, which cuts the pause short. */
  readonly news?: () => AbortSignal | undefined;
}

/** Looks until the command has ended, and keeps its output within bounds. Rejects with the signal's reason when it aborts. */
export async function untilEnded(
  spec: ExecSpec,
  signal: AbortSignal,
  look: () => Promise<Looked>,
  { firstMs, mostMs, capBytes, news }: Patience,
): Promise<ExecEnd> {
  for (let pause = firstMs; ; pause = Math.min(pause * 2, mostMs)) {
    signal.throwIfAborted();
    const looked = await look();
    if (looked.ended !== 'running') {
      await closeOutput(spec, capBytes);
      return looked;
    }
    await capOutput(spec, capBytes);
    await pauseFor(pause, news?.());
  }
}

async function pauseFor(ms: number, news: AbortSignal | undefined): Promise<void> {
  if (news === undefined) await sleep(ms);
  else await sleep(ms, undefined, { signal: news }).catch(() => undefined);
}
