import { isAlias, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Scalar, YAMLMap } from 'yaml';
import { formatPath } from './finding.js';
import type { Finding, Path, Problem } from './finding.js';

export type YamlFile =
  | { readonly readable: false; readonly problems: readonly Problem[] }
  | {
      readonly readable: true;
      readonly value: unknown;
      /** Gives a finding its line and column: of the path itself, or of the nearest thing above it that exists. */
      readonly locate: (finding: Finding) => Problem;
    };

/** More is not a configuration; keeps what a stranger's file can cost small. */
const MOST_CHARACTERS = 1_000_000;

/** Reads YAML 1.2 with anchors and `<<`; any fault of syntax makes it unreadable. Never throws. */
export function readYaml(text: string): YamlFile {
  if (text.length > MOST_CHARACTERS) {
    return unreadable(`the file is larger than ${MOST_CHARACTERS} characters`);
  }
  try {
    return readDocument(text);
  } catch (fault) {
    // Nested too deeply for the parser, or aliases that multiply: what the library throws instead of recording.
    return unreadable(`cannot be read as YAML: ${(fault as Error).message}`);
  }
}

function readDocument(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    merge: true,
    // Not `silent`, which would take the first of several documents for the whole file.
    logLevel: 'error',
  });
  const problems = [...document.errors, ...document.warnings].map((fault) => ({
    ...position(lines, fault.pos[0]),
    path: '',
    message: sentence(fault.message),
  }));
  if (problems.length > 0) return { readable: false, problems };
  return {
    readable: true,
    value: document.toJS() as unknown,
    locate: (finding) => ({
      ...position(lines, offsetOf(document, finding)),
      path: formatPath(finding.path),
      message: finding.message,
    }),
  };
}

function unreadable(message: string): YamlFile {
  return { readable: false, problems: [{ line: 1, column: 1, path: '', message }] };
}

function sentence(message: string): string {
  const hint = message.includes('!envvar') ? '; write ${NAME} to take a value from the environment' : '';
  return `not valid YAML: ${message}${hint}`;
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function offsetOf(document: Document, finding: Finding): number {
  const found = walk(document, finding.path);
  const exact = found.depth === finding.path.length;
  return exact && finding.at === 'value' ? found.value : found.key;
}

/** Goes down as far as the path exists; offsets of the last key passed and of its value. */
function walk(document: Document, path: Path): { depth: number; key: number; value: number } {
  let node = document.contents as Node | null;
  let found = { depth: 0, key: start(node, 0), value: start(node, 0) };
  for (const part of path) {
    const next = step(resolved(node, document), part);
    if (next === null) break;
    const key = start(next.key, start(next.value, found.key));
    found = { depth: found.depth + 1, key, value: start(next.value, key) };
    node = next.value;
  }
  return found;
}

function step(node: Node | null, part: string | number): { key: Node | null; value: Node | null } | null {
  if (isSeq(node)) return { key: null, value: node.items[part as number] as Node };
  // What is neither has nothing below it that a path could lead to.
  const pair = (node as YAMLMap).items.find(({ key }) => (key as Scalar).value === part);
  return pair === undefined ? null : { key: pair.key as Node, value: pair.value as Node | null };
}

function resolved(node: Node | null, document: Document): Node | null {
  return isAlias(node) ? (node.resolve(document) as Node) : node;
}

function start(node: Node | null, otherwise: number): number {
  return node?.range?.[0] ?? otherwise;
}
