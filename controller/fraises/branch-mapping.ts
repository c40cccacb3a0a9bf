import { error } from './finding.js';
import type { Finding, Path } from './finding.js';
import type { Configuration } from './fraises.js';
import type { WrittenTarget } from './fraises-schema.js';
import { didYouMean } from './nearest.js';

export type BranchMapping = Configuration['branchMapping'];
type WrittenMapping = Readonly<Record<string, WrittenTarget | readonly WrittenTarget[]>>;
/** Names of fraises with the names of their environments, also of those that have faults of their own. */
export type KnownNames = ReadonlyMap<string, readonly string[]>;

/** `branch_mapping` with one spelling for its targets, and the targets that do not exist or stand twice. */
export function buildBranchMapping(
  written: WrittenMapping,
  known: KnownNames,
): { readonly branchMapping: BranchMapping; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const branches = Object.entries(written).map(([branch, targets]) => {
    const seen = new Set<string>();
    const one = (target: WrittenTarget, path: Path) => {
      const read = readTarget(target);
      findings.push(...checkTarget(target, path, known, seen));
      return read;
    };
    const path = ['branch_mapping', branch];
    return [
      branch,
      isList(targets) ? targets.map((target, i) => one(target, [...path, i])) : [one(targets, path)],
    ] as const;
  });
  return { branchMapping: Object.fromEntries(branches), findings };
}

function isList(targets: WrittenTarget | readonly WrittenTarget[]): targets is readonly WrittenTarget[] {
  return Array.isArray(targets);
}

function readTarget(target: WrittenTarget): { readonly fraise: string; readonly environment: string } {
  return { fraise: target.fraise ?? target.fraise_name ?? '', environment: target.environment };
}

function checkTarget(
  target: WrittenTarget,
  path: Path,
  known: KnownNames,
  seen: Set<string>,
): readonly Finding[] {
  if (target.fraise !== undefined && target.fraise_name !== undefined) {
    return [error([...path, 'fraise_name'], "is the original's name for fraise; keep one of them", 'key')];
  }
  const key = target.fraise === undefined ? 'fraise_name' : 'fraise';
  const { fraise, environment } = readTarget(target);
  if (fraise === '') return [error([...path, 'fraise'], 'is missing; must be the name of a fraise')];
  const environments = known.get(fraise);
  if (environments === undefined) {
    return [error([...path, key], unknown('fraise', fraise, [...known.keys()]))];
  }
  if (!environments.includes(environment)) {
    return [error([...path, 'environment'], unknown(`environment of ${fraise}`, environment, environments))];
  }
  const pair = `${fraise} ${environment}`;
  if (seen.has(pair)) return [error(path, `${pair} stands twice under this branch; keep one`)];
  seen.add(pair);
  return [];
}

function unknown(what: string, written: string, known: readonly string[]): string {
  return `there is no ${what} called ${written}${didYouMean(written, known)}; must be one of ${known.join(', ')}`;
}
