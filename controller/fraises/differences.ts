import { describeEnvironment } from './describe-environment.js';
import { allEnvironments, PROVIDERS } from './fraises.js';
import type { Configuration, Fraise, GitHost, Secret } from './fraises.js';

/**
 * What changes from one configuration to the next, a line each: `+ checkout production`, `- nightly production`,
 * `~ checkout production: branch main -> release`. Empty when they mean the same. Secrets are never shown.
 */
export function differences(before: Configuration | null, after: Configuration): string[] {
  const from = before ?? NOTHING;
  return [
    ...changed('name', from.name, after.name),
    ...changed('git: provider', from.defaultProvider, after.defaultProvider),
    ...PROVIDERS.flatMap((provider) => gitHost(provider, from.gitHosts[provider], after.gitHosts[provider])),
    ...compareMaps(from.hosts, after.hosts, host),
    ...compareMaps(from.fraises, after.fraises, fraise),
    ...rotatedSecrets(from, after),
    ...compareMaps(mappedPairs(from), mappedPairs(after), (pair) => ({ title: pair, parts: new Map() })),
  ];
}

const NOTHING: Configuration = {
  name: '',
  defaultProvider: 'github',
  gitHosts: {},
  hosts: {},
  fraises: {},
  branchMapping: {},
};

/** A thing that can come, go or change in named parts. */
interface Described {
  readonly title: string;
  readonly parts: ReadonlyMap<string, string>;
}

function compareMaps<T>(
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  describe: (name: string, one: T) => Described | readonly Described[],
): string[] {
  const described = (map: Readonly<Record<string, T>>) =>
    new Map(
      Object.entries(map)
        .flatMap(([name, one]) => describe(name, one))
        .map((one) => [one.title, one.parts] as const),
    );
  const [from, to] = [described(before), described(after)];
  const gone = [...from.keys()].filter((title) => !to.has(title)).map((title) => `- ${title}`);
  const rest = [...to].flatMap(([title, parts]) => {
    const old = from.get(title);
    return old === undefined ? [`+ ${title}`] : compareParts(title, old, parts);
  });
  return [...gone, ...rest];
}

function compareParts(title: string, before: Described['parts'], after: Described['parts']): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((part) =>
    changed(`${title}: ${part}`, before.get(part) ?? 'none', after.get(part) ?? 'none'),
  );
}

function changed(what: string, before: string, after: string): string[] {
  if (before === after) return [];
  return [before === '' ? `+ ${what} ${after}` : `~ ${what} ${before} -> ${after}`];
}

function gitHost(provider: string, before: GitHost | undefined, after: GitHost | undefined): string[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [`+ git ${provider}`];
  if (after === undefined) return [`- git ${provider}`];
  const same = templates(before.webhookSecrets) === templates(after.webhookSecrets);
  const rotated = same ? [] : [`~ git ${provider}: webhook_secret changed`];
  const tokens = [before, after].map(({ statusToken }) => statusToken?.template);
  const statuses = tokens[0] === tokens[1] ? [] : [`~ git ${provider}: status_token changed`];
  return [...changed(`git ${provider}: base_url`, before.baseUrl, after.baseUrl), ...rotated, ...statuses];
}

/** Of environments that stay: their own webhook secrets, of which nothing is shown. */
function rotatedSecrets(from: Configuration, after: Configuration): string[] {
  return allEnvironments(after).flatMap(({ fraise: of, name, webhookSecrets }) => {
    const before = from.fraises[of]?.environments[name]?.webhookSecrets;
    if (before === undefined || templates(before) === templates(webhookSecrets)) return [];
    return [`~ ${of} ${name}: webhook_secret changed`];
  });
}

function templates(secrets: readonly Secret[]): string {
  return JSON.stringify(secrets.map((secret) => secret.template));
}

function host(name: string, { labels }: Configuration['hosts'][string]): Described {
  return {
    title: `host ${name}`,
    parts: new Map(Object.entries(labels).map(([key, value]) => [`label ${key}`, value])),
  };
}

function fraise(name: string, { environments }: Fraise): readonly Described[] {
  return Object.values(environments).map((environment) => ({
    title: `${name} ${environment.name}`,
    parts: describeEnvironment(environment),
  }));
}

function mappedPairs({ branchMapping }: Configuration): Readonly<Record<string, true>> {
  const pairs = Object.entries(branchMapping).flatMap(([branch, targets]) =>
    targets.map((target) => [`branch ${branch} -> ${target.fraise} ${target.environment}`, true] as const),
  );
  return Object.fromEntries(pairs);
}
