import { error } from './finding.js';
import type { Finding, Path } from './finding.js';

/**
 * `${…}` where nothing would ever fill it in, so that it is never taken for the value itself, and keys that no map can
 * have. Secrets may hold templates, headers of a health check
 * are filled in by the agent, and a shell string has a shell on the host.
 */
export function looseTemplates(value: unknown): readonly Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<unknown>();
  const waiting: { readonly value: unknown; readonly path: Path }[] = [{ value, path: [] }];
  // A loop and not recursion: aliases can make the value deep, or a circle.
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const { value: inner, path } = one;
    if (typeof inner === 'string' && inner.includes('${') && !mayHoldTemplate(path))
      findings.push(loose(path));
    if (typeof inner !== 'object' || inner === null || seen.has(inner)) continue;
    seen.add(inner);
    for (const [key, next] of Object.entries(inner)) {
      const deeper = [...path, Array.isArray(inner) ? Number(key) : key];
      if (key === '__proto__') findings.push(error(deeper, 'cannot be a name', 'key'));
      if (key.includes('${')) findings.push(loose(deeper, 'key'));
      waiting.push({ value: next, path: deeper });
    }
  }
  return findings;
}

const GIT_SECRETS: ReadonlySet<unknown> = new Set([
  'webhook_secret',
  'secret',
  'secret_token',
  'status_token',
]);

function mayHoldTemplate(path: Path): boolean {
  const [top, , key] = path;
  if (top === 'git') return GIT_SECRETS.has(key);
  if (key === 'webhook_secret' || (key === 'environments' && path[4] === 'webhook_secret')) return true;
  const [point = '', ...inside] = path.slice(path.lastIndexOf('hooks') + 1);
  if (path.includes('hooks') && /^(?:before|after|on)_/.test(String(point)))
    return inside.length === 0 || (inside.at(-1) === 'command' && typeof inside.at(-2) !== 'string');
  if (path[key === 'environments' ? 4 : 2] === 'health_check')
    return path.at(-1) === 'command' || path.at(-2) === 'headers';
  return path.at(-1) === 'command' && (path.at(-2) === 'install' || path.at(-2) === 'restart');
}

function loose(path: Path, at: Finding['at'] = 'value'): Finding {
  const message =
    '${…} is only filled in for webhook secrets (from the environment of the controller), in the headers of a health ' +
    'check (from the environment_file on the host) and in commands written as a string (by the shell on the host); ' +
    'write the value, or put it into the environment_file on the host';
  return error(path, message, at);
}
