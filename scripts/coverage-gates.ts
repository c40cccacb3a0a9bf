const KINDS = ['lines', 'statements', 'functions', 'branches'] as const;

interface Count {
  readonly total: number;
  readonly covered: number;
}

/** What c8 counted of one file. */
export type FileCoverage = Readonly<Record<(typeof KINDS)[number], Count>>;

interface Gate {
  readonly what: string;
  readonly files: RegExp;
  readonly percent: number;
}

const WHOLE = [
  ...['deployments', 'webhooks', 'fraises', 'recipes', 'db'].map((folder) => `controller/${folder}/`),
  ...['steps/', 'journal', 'run', 'policy'].map((name) => `agent/${name}`),
];

const GATES: readonly Gate[] = [
  ...WHOLE.map((what) => ({ what, files: new RegExp(`^${what}`), percent: 100 })),
  { what: 'everything', files: /^/, percent: 90 },
];

/** Holds coverage by file (paths from the top) against the gates; says which gates are missed and by which files. */
export function coverageFaults(files: Readonly<Record<string, FileCoverage>>): readonly string[] {
  return GATES.flatMap((gate) => {
    const found = Object.entries(files).filter(([file]) => gate.files.test(file));
    if (found.length === 0) return [`${gate.what}: no file of it was measured`];
    const reached = figures(found.map(([, coverage]) => coverage));
    if (KINDS.every((kind) => reached[kind] >= gate.percent)) return [];
    const lacking = found.map(([file, coverage]) => ({ file, reached: figures([coverage]) }));
    const worst = lacking
      .filter((one) => KINDS.some((kind) => one.reached[kind] < gate.percent))
      .sort((one, other) => one.reached.lines - other.reached.lines);
    return [
      `${gate.what}: ${shown(reached)}, wanted ${gate.percent} %`,
      ...worst.slice(0, 20).map((one) => `  ${one.file}: ${shown(one.reached)}`),
    ];
  });
}

/** Percentages over all files together, for one line on a screen. */
export function coverageSummary(files: Readonly<Record<string, FileCoverage>>): string {
  return shown(figures(Object.values(files)));
}

function figures(coverages: readonly FileCoverage[]): Readonly<Record<(typeof KINDS)[number], number>> {
  const percent = (kind: (typeof KINDS)[number]) => {
    const total = coverages.reduce((sum, coverage) => sum + coverage[kind].total, 0);
    const covered = coverages.reduce((sum, coverage) => sum + coverage[kind].covered, 0);
    return total === 0 ? 100 : (covered / total) * 100;
  };
  return {
    lines: percent('lines'),
    statements: percent('statements'),
    functions: percent('functions'),
    branches: percent('branches'),
  };
}

function shown(reached: Readonly<Record<(typeof KINDS)[number], number>>): string {
  return KINDS.map((kind) => `${kind} ${(Math.floor(reached[kind] * 100) / 100).toFixed(2)} %`).join(', ');
}
