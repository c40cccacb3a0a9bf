import { drawn } from '../system/drawn.js';

const VICTIMS = ['agent', 'controller'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Boundary {
  readonly victim: Victim;
  readonly phase: string;
  readonly step: string;
  readonly moment: 'started' | 'finished';
}

const STEPS = {
  prepare: ['preflight', 'fetch', 'stage', 'install', 'migration_status'],
  migrate: ['migration_unchanged', 'migrate', 'migration_applied'],
  release: ['activate', 'restart', 'health'],
  prune: ['prune'],
} as const;

const ALL: readonly Boundary[] = VICTIMS.flatMap((victim) =>
  Object.entries(STEPS).flatMap(([phase, steps]) =>
    steps.flatMap((step) =>
      (['started', 'finished'] as const).map((moment) => ({ victim, phase, step, moment })),
    ),
  ),
);

const SAMPLE = 4;

/** Where to kill: before and after every step of the first host, or a few of these. */
export function drawnBoundaries(): readonly Boundary[] {
  return drawn('boundaries on real hosts', ALL, SAMPLE);
}
