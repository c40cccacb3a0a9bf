/**
 * What two spellings of one repository have in common, to compare a webhook's address with a configured one:
 * `https://user@GitHub.com:443/Acme/Shop.git`, `ssh://git@github.com/acme/shop` and `git@github.com:acme/shop.git`
 * are all `github.com/acme/shop`; `file:///srv/shop.git` is `/srv/shop`. Never throws.
 * Limit: the port is left out, so two git hosts on one name with different ports look the same.
 */
export function repositoryKey(url: string): string {
  const written = url.trim();
  const address = /^[a-z][a-z0-9+.-]*:\/\/([^/]*)(.*)$/is.exec(written);
  if (address !== null) return fromUrl(address[1] as string, decoded(address[2] as string), written);
  const scp = /^(?:[^@/:]+@)?([^/:@]+):(.*)$/s.exec(written);
  if (scp !== null) return hosted(scp[1] as string, scp[2] as string);
  return cleanPath(written);
}

/** Hosts that treat `Acme/Shop` and `acme/shop` as one; a label of the name tells, so that own installations count. */
const FOLDS_CASE = /(?:^|[.-])(?:github|gitlab|bitbucket|gitea)(?:[.-]|$)/;

/** SSH over port 443 has a name of its own. */
const SAME_HOST: Readonly<Record<string, string>> = {
  'ssh.github.com': 'github.com',
  'www.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
  'altssh.bitbucket.org': 'bitbucket.org',
};

function fromUrl(authority: string, path: string, written: string): string {
  if (/^file:/i.test(written)) return cleanPath(path);
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '');
  return hosted(host, path);
}

function hosted(writtenHost: string, path: string): string {
  const lower = writtenHost.toLowerCase();
  const host = Object.hasOwn(SAME_HOST, lower) ? (SAME_HOST[lower] as string) : lower;
  const cleaned = cleanPath(path).replace(/^\//, '');
  return `${host}/${FOLDS_CASE.test(host) ? cleaned.toLowerCase() : cleaned}`;
}

function cleanPath(path: string): string {
  const parts = path.split('/').filter((part, i) => part !== '' || i === 0);
  const last = parts.pop() as string;
  const named = last.replace(/\.git$/i, '');
  return [...parts, ...(named === '' && parts.length > 0 ? [] : [named])].join('/');
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not percent-encoded after all: compared as it stands.
    return path;
  }
}
