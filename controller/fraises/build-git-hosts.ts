import { error, formatPath, warning } from './finding.js';
import type { Finding, Path } from './finding.js';
import { PROVIDERS } from './fraises.js';
import type { Configuration, GitHost, Provider, Secret } from './fraises.js';
import type { WrittenGit } from './fraises-schema.js';
import { templateFault } from './secret.js';

const PUBLIC_URL: Record<Provider, string> = {
  github: 'https://github.com',
  gitlab: 'https://gitlab.com',
  gitea: 'https://gitea.com',
  bitbucket: 'https://bitbucket.org',
};

/** Shorter secrets can be guessed by somebody who saw one signed delivery. */
const SHORTEST_GOOD_SECRET = 16;

type WrittenGitHost = NonNullable<WrittenGit['github']>;
export type GitHosts = Partial<Record<Provider, GitHost>>;

/** The git hosts of `git:` with their secrets as templates, and what is wrong with those. */
export function buildGitHosts(git: WrittenGit): {
  readonly gitHosts: GitHosts;
  readonly findings: readonly Finding[];
} {
  const gitHosts: GitHosts = {};
  const findings: Finding[] = [];
  for (const provider of PROVIDERS) {
    const written = git[provider];
    if (written === undefined) continue;
    const { found, problems } = readSecrets(written, ['git', provider]);
    const token = readStatusToken(written, ['git', provider]);
    findings.push(...problems, ...found.flatMap(checkSecret), ...token.problems);
    gitHosts[provider] = {
      provider,
      baseUrl: (written.base_url ?? PUBLIC_URL[provider]).replace(/\/$/, ''),
      webhookSecrets: found.map(asSecret),
      statusToken: token.found,
    };
  }
  return { gitHosts, findings };
}

/** Where a git host lives: what the configuration says, otherwise its public address. No slash at the end. */
export function baseUrlOf({ gitHosts }: Pick<Configuration, 'gitHosts'>, provider: Provider): string {
  return gitHosts[provider]?.baseUrl ?? PUBLIC_URL[provider];
}

export interface WrittenSecret {
  readonly template: string;
  readonly path: Path;
}

/** A text or a list of texts, each with where it stands. */
export function writtenSecrets(
  value: string | readonly string[] | undefined,
  path: Path,
): readonly WrittenSecret[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [{ template: value, path }];
  return value.map((template, i) => ({ template, path: [...path, i] }));
}

/** The secret as a configuration keeps it: its template, and its place as text. */
export function asSecret({ template, path }: WrittenSecret): Secret {
  return { template, path: formatPath(path) };
}

function readSecrets(
  written: WrittenGitHost,
  path: Path,
): { found: readonly WrittenSecret[]; problems: Finding[] } {
  const { webhook_secret, secret, secret_token } = written;
  const [first, ...others] = Object.entries({ webhook_secret, secret, secret_token }).flatMap(
    ([key, value]) => (value === undefined ? [] : [{ key, value }]),
  );
  if (first === undefined) {
    const message = 'has no webhook_secret: webhooks from there will be refused';
    return { found: [], problems: [warning(path, message, 'key')] };
  }
  const { key, value } = first;
  const found = writtenSecrets(value, [...path, key]);
  const second = `is another name for ${key}; keep one of them`;
  return { found, problems: others.map((other) => error([...path, other.key], second, 'key')) };
}

/** Only the name of a variable: what stands in the file itself would be stored with every version of it. */
function readStatusToken(
  { status_token: template, statuses }: WrittenGitHost,
  path: Path,
): { found: Secret | null; problems: Finding[] } {
  const place = [...path, 'status_token'];
  if (template === undefined) {
    const idle = 'has no effect without a status_token';
    return { found: null, problems: statuses === true ? [warning([...path, 'statuses'], idle)] : [] };
  }
  const isName = /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(template);
  const fault =
    'must be ${NAME}, a variable in the environment of the controller: every version of this file is kept';
  return {
    found: statuses === false ? null : asSecret({ template, path: place }),
    problems: isName ? [] : [error(place, fault)],
  };
}

/** What is wrong with a secret as it is written; never repeats it. */
export function checkSecret({ template, path }: WrittenSecret): readonly Finding[] {
  const fault = templateFault(template);
  if (fault !== null) return [error(path, fault)];
  if (template.trim() === '') return [error(path, 'must not be empty')];
  if (template.includes('${') || template.length >= SHORTEST_GOOD_SECRET) return [];
  return [warning(path, `is short; a secret should have ${SHORTEST_GOOD_SECRET} characters or more`)];
}
