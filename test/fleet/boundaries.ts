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

/**
 * Where to kill: before and after every step of the first host. `FRAISIER_MATRIX=whole` draws all of them; otherwise a
 * few, by a seed that is printed and can be given as `FRAISIER_SEED`.
 */
export function drawnBoundaries(): readonly Boundary[] {
  if (process.env['FRAISIER_MATRIX'] === 'whole') return ALL;
  const seed = Number(process.env['FRAISIER_SEED'] ?? Math.floor(Math.random() * 1e6));
  process.stdout.write(
    `boundaries on real hosts: ${SAMPLE} of ${ALL.length}, FRAISIER_SEED=${seed} (FRAISIER_MATRIX=whole for all)\n`,
  );
  return sample(ALL, SAMPLE, seed);
}

/** `count` different ones, drawn by a small linear congruential generator. */
function sample<T>(all: readonly T[], count: number, seed: number): readonly T[] {
  const left = [...all];
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return left.splice(state % left.length, 1);
  }).flat();
}
