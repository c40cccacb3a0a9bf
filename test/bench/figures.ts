/** One line of the table. `beside` is what was measured in the same run for comparison, `ratio` is value to beside. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: 's' | 'ms' | '1/s' | 'MB' | 'kB';
  readonly beside?: { readonly what: string; readonly value: number };
  readonly ratio?: number;
  /** Why there is no value. */
  readonly notMeasured?: string;
}

/** A line for what cannot be measured on this machine. */
export function notMeasured(what: string, unit: Figure['unit'], why: string): Figure {
  return { what, value: Number.NaN, unit, notMeasured: why };
}

/** A figure, with its ratio when there is something beside it. */
export function figure(what: string, value: number, unit: Figure['unit'], beside?: Figure['beside']): Figure {
  if (beside === undefined) return { what, value: rounded(value), unit };
  return {
    what,
    value: rounded(value),
    unit,
    beside: { what: beside.what, value: rounded(beside.value) },
    ratio: rounded(value / beside.value),
  };
}

/** One line of the printed table. */
export function lineOf({ what, value, unit, beside, ratio, notMeasured }: Figure): string {
  if (notMeasured !== undefined) return `${what.padEnd(58)} ${'-'.padStart(9)}      ${notMeasured}`;
  const own = `${what.padEnd(58)} ${shown(value).padStart(9)} ${unit.padEnd(3)}`;
  if (beside === undefined) return own.trimEnd();
  return `${own}  ${beside.what.padEnd(14)} ${shown(beside.value).padStart(9)} ${unit.padEnd(3)}  ${shown(ratio ?? Number.NaN)} ×`;
}

/** The p-th percentile (0 to 100) of values, by nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
