/** One import as it stands in a file. */
export interface FoundImport {
  readonly specifier: string;
  readonly line: number;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
  /** `import()`: loaded when it is needed. */
  readonly lazy: boolean;
}

const NAMES = String.raw`(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*(?:\s+as\s+[\w$]+)?|[\w$]+)`;
const STATIC = new RegExp(
  String.raw`^(?:import|export)\s+(?:(type)\s+)?(?:(${NAMES})\s*from\s*)?['"]([^'"]+)['"]`,
  'gm',
);
const DYNAMIC = /(?<![\w.])import\(\s*['"]([^'"]+)['"]/g;

/** Every import and re-export of a file of the house's style (statements begin a line), in no particular order. */
export function importsOf(text: string): readonly FoundImport[] {
  const statics = [...text.matchAll(STATIC)].map((match) => ({
    specifier: match[3] ?? '',
    line: lineAt(text, match.index),
    typeOnly: match[1] !== undefined || onlyTypes(match[2] ?? ''),
    lazy: false,
  }));
  const dynamics = [...text.matchAll(DYNAMIC)].map((match) => ({
    specifier: match[1] ?? '',
    line: lineAt(text, match.index),
    typeOnly: false,
    lazy: true,
  }));
  return [...statics, ...dynamics];
}

/** `{ type A, type B }`. */
function onlyTypes(clause: string): boolean {
  const names = /^\{([^}]*)\}$/.exec(clause.trim())?.[1];
  const parts =
    names
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '') ?? [];
  return parts.length > 0 && parts.every((name) => name.startsWith('type '));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
