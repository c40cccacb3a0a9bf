import { error, formatPath, warning } from './finding.js';
import type { Finding, Path } from './finding.js';
import { PROVIDERS } from './fraises.js';
import type { GitHost, Provider, Secret } from './fraises.js';
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
    findings.push(...problems, ...found.flatMap(checkSecret));
    gitHosts[provider] = {
      provider,
      baseUrl: (written.base_url ?? PUBLIC_URL[provider]).replace(/\/$/, ''),
      webhookSecrets: found.map(({ template, path }): Secret => ({ template, path: formatPath(path) })),
    };
  }
  return { gitHosts, findings };
}

interface WrittenSecret {
  readonly template: string;
  readonly path: Path;
}

function readSecrets(written: WrittenGitHost, path: Path): { found: WrittenSecret[]; problems: Finding[] } {
  const { webhook_secret, secret, secret_token } = written;
  const [first, ...others] = Object.entries({ webhook_secret, secret, secret_token }).flatMap(
    ([key, value]) => (value === undefined ? [] : [{ key, value }]),
  );
  if (first === undefined) {
    const message = 'has no webhook_secret: webhooks from there will be refused';
    return { found: [], problems: [warning(path, message, 'key')] };
  }
  const { key, value } = first;
  const found =
    typeof value === 'string'
      ? [{ template: value, path: [...path, key] }]
      : value.map((template, i) => ({ template, path: [...path, key, i] }));
  const second = `is another name for ${key}; keep one of them`;
  return { found, problems: others.map((other) => error([...path, other.key], second, 'key')) };
}

function checkSecret({ template, path }: WrittenSecret): readonly Finding[] {
  const fault = templateFault(template);
  if (fault !== null) return [error(path, fault)];
  if (template.trim() === '') return [error(path, 'must not be empty')];
  if (template.includes('${') || template.length >= SHORTEST_GOOD_SECRET) return [];
  return [warning(path, `is short; a secret should have ${SHORTEST_GOOD_SECRET} characters or more`)];
}
