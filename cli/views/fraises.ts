import type { Fraise, FraiseEnvironment, ListFraisesResponse } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { lines, table } from './table.js';
import { orDash, short } from './words.js';

/** `list`: each fraise with its environments below it. */
export function fraiseTree({ fraises }: ListFraisesResponse, look: Look): string {
  if (fraises.length === 0) return none();
  return fraises.map((fraise) => branch(fraise, look)).join('\n');
}

/** `list --flat`: one line per environment. */
export function fraiseTable({ fraises }: ListFraisesResponse, look: Look): string {
  if (fraises.length === 0) return none();
  const rows = fraises.flatMap((fraise) =>
    fraise.environments.map((environment) => [fraise.name, ...cells(environment), fraise.type]),
  );
  return table(['fraise', 'environment', 'branch', 'live', 'hosts', 'type'], rows, look);
}

function branch(fraise: Fraise, look: Look): string {
  const { ink } = look;
  const head = [ink.bold(fraise.name), fraise.type, ink.dim(fraise.description)]
    .filter((word) => word !== '')
    .join('  ');
  const rows = fraise.environments.map((environment) => {
    const [name = '', ...rest] = cells(environment);
    return [`  ${name}`, ...rest];
  });
  return lines([head]) + table(['  environment', 'branch', 'live', 'hosts'], rows, look);
}

function cells({ name, branch, liveVersion, hosts, problem }: FraiseEnvironment): string[] {
  return [name, orDash(branch), short(liveVersion), hosts.length === 0 ? orDash(problem) : hosts.join(', ')];
}

function none(): string {
  return lines(['nothing is configured', 'next: fraisier apply fraises.yaml']);
}
