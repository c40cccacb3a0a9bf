import { repositoryKey } from '../fraises/repository-key.js';

/**
 * The path of a repository at a git host, as in `acme/checkout`, in the case in which it is written; null when the
 * address is not at that host, so that no other host's repository of that name is told, nor another host given a token.
 */
export function repositoryAt(baseUrl: string, repository: string): string | null {
  const [host = '', ...above] = partsOf(repositoryKey(baseUrl));
  const key = repositoryKey(repository);
  const [own = '', ...folded] = partsOf(key);
  if (own !== host || key.startsWith('/') || folded.length === 0) return null;
  const written = repository.replace(/\/+$/, '').replace(/\.git$/i, '');
  const path = written
    .split(/[/:]/)
    .filter((part) => part !== '')
    .slice(-folded.length);
  // Over https the host may live below a path of its own, over ssh it does not.
  const inside = above.every((part, i) => part === folded[i]) ? path.slice(above.length) : path;
  return inside.length < 2 ? null : inside.map(decoded).join('/');
}

function partsOf(key: string): readonly string[] {
  return key.split('/').filter((part) => part !== '');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
