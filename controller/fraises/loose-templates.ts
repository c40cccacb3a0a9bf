import { error } from './finding.js';
import type { Finding, Path } from './finding.js';

/**
 * `${…}` where nothing would ever fill it in, so that it is never taken for the value itself, and keys that no map can
 * have. Secrets may hold templates, and a shell string has a shell on the host to expand them.
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

function mayHoldTemplate(path: Path): boolean {
  const [top, , key] = path;
  if (top === 'git') return key === 'webhook_secret' || key === 'secret' || key === 'secret_token';
  return path.at(-1) === 'command' && (path.at(-2) === 'install' || path.at(-2) === 'restart');
}

function loose(path: Path, at: Finding['at'] = 'value'): Finding {
  const message =
    '${…} is only filled in for webhook secrets (from the environment of the controller) and in commands written ' +
    'as a string (by the shell on the host); write the value, or put it into the environment_file on the host';
  return error(path, message, at);
}
