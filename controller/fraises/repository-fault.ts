const URL_FORM = /^(https?|ssh|git|file):\/\/([^/\s]*)(\/[^\s]*)$/i;
const SCP_FORM = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9_.-]*:(?![:/\\]{2}|:)[^\s-][^\s]*$/;
const PATH_FORM = /^\/[^\p{Cc}]+$/u;

const ALLOWED =
  'must be an address git can clone: https://host/path, ssh://user@host/path, user@host:path or an absolute path';

/** What is wrong with the address of a repository, or null. Never repeats it: it may hold a password. */
export function repositoryFault(written: string): string | null {
  const url = URL_FORM.exec(written);
  if (url === null) return SCP_FORM.test(written) || PATH_FORM.test(written) ? null : ALLOWED;
  const [, scheme = '', authority = '', path = ''] = url;
  const cut = authority.lastIndexOf('@');
  if (holdsCredentials(scheme.toLowerCase(), authority.slice(0, Math.max(cut, 0)))) {
    return (
      'must not hold a password or token: every version of this file is kept; ' +
      'give git its credentials on the host (a deploy key, or a credential helper of the user the agent runs as)'
    );
  }
  // Over git:// nobody logs in: git would take the name for a part of the host.
  const host = /^git$/i.test(scheme) ? authority : authority.slice(cut + 1);
  const hostNeeded = scheme.toLowerCase() !== 'file';
  const goodHost = hostNeeded ? /^[A-Za-z0-9[][^@]*$/.test(host) : host === '' || host === 'localhost';
  return goodHost && path !== '/' ? null : ALLOWED;
}

/** A user name alone is no secret for ssh; for https it usually is a token. */
function holdsCredentials(scheme: string, userInfo: string): boolean {
  if (userInfo.includes(':')) return true;
  return scheme.startsWith('http') && userInfo !== '' && userInfo !== 'git';
}

/** What a person should know of an address that may be used, or null. */
export function repositoryWarning(written: string): string | null {
  const [, scheme] = /^(git|http):\/\//i.exec(written) ?? [];
  if (scheme === undefined) return null;
  return (
    `${scheme.toLowerCase()}:// is neither encrypted nor authenticated: whoever is in between can read the code, and say where a ` +
    'branch is (a commit that a webhook names is fetched by its hash); use https:// or ssh:// where you can'
  );
}
