/** `FRAISIER_MATRIX=whole` plays everything; otherwise some of it, drawn by a seed that is printed and can be given. */
const SEED = Number(process.env['FRAISIER_SEED'] ?? Math.floor(Math.random() * 1e6));

export const PLAYS_WHOLE = process.env['FRAISIER_MATRIX'] === 'whole';

/** `count` of these, or all when the whole matrix is played; says how to draw them again. */
export function drawn<T>(what: string, all: readonly T[], count: number): readonly T[] {
  if (PLAYS_WHOLE) return all;
  process.stdout.write(
    `${what}: ${count} of ${all.length}, FRAISIER_SEED=${SEED} (FRAISIER_MATRIX=whole for all)\n`,
  );
  return sample(all, count, SEED);
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
