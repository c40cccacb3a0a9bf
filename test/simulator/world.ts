import { ApplicationDatabase, Repository, type Pair, type Quality, type Software } from './software.js';
import type { Random } from './random.js';

/** What one seed is made of; drawn once, before anything happens. */
export interface World {
  readonly controllers: readonly string[];
  readonly hosts: readonly string[];
  /** By host, its label `zone`; a host without one is not in it. */
  readonly zones: ReadonlyMap<string, string>;
  readonly kind: 'transient_unit' | 'child_process';
  readonly pairs: readonly Pair[];
  /** Those with `catch_up`. */
  readonly catchingUp: readonly Pair[];
  readonly software: Software;
  /** fraises.yaml */
  readonly configuration: string;
  /** How long people and faults are at work, in ms. */
  readonly lifeMs: number;
}

export const WEBHOOK_SECRET = 'a-webhook-secret-of-thirty-two-characters';

export function drawWorld(random: Random, lifeMs: number): World {
  const controllers = names('c', random.whole(1, 3));
  const hosts = names('h', random.whole(1, 5));
  const fraises = names('app', random.whole(1, 3));
  const environments = ['production', 'staging'].slice(0, random.whole(1, 2));
  const pairs = fraises.flatMap((fraise) => environments.map((environment) => ({ fraise, environment })));
  const zones = drawZones(hosts, random.fork('zones'));
  const described = pairs.map((pair) =>
    describe(pair, hosts, random.fork(`${pair.fraise} ${pair.environment}`)),
  );
  return {
    controllers,
    hosts,
    zones,
    kind: random.chance(0.7) ? 'transient_unit' : 'child_process',
    pairs,
    catchingUp: pairs.filter((_, at) => described[at]?.rollout.catch_up),
    software: drawSoftware(fraises, random.fork('software')),
    configuration: JSON.stringify(configurationOf(fraises, pairs, described)),
    lifeMs,
  };
}

function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${at + 1}`);
}

/** In some seeds there are zones, and hosts in none. */
function drawZones(hosts: readonly string[], random: Random): ReadonlyMap<string, string> {
  if (random.chance(0.6)) return new Map();
  return new Map(hosts.filter(() => random.chance(0.8)).map((host) => [host, random.pick(['east', 'west'])]));
}

function drawSoftware(fraises: readonly string[], random: Random): Software {
  const quality = random.chance(0.3) ? GOOD : BAD;
  const repositories = fraises.map((name) => new Repository(name, random.fork(name), quality));
  const databases = new Map<string, ApplicationDatabase>();
  return {
    habits: random.chance(0.4) ? { flaky: 0, hangs: 0, deaf: 0 } : { flaky: 0.02, hangs: 0.01, deaf: 0.1 },
    repositories,
    commit: (fraise, sha) => repositories.find(({ name }) => name === fraise)?.find(sha) ?? null,
    database: ({ fraise, environment }) => {
      const key = `${fraise} ${environment}`;
      const found = databases.get(key) ?? new ApplicationDatabase();
      databases.set(key, found);
      return found;
    },
  };
}

const GOOD: Quality = {
  badInstall: 0,
  unhealthy: 0,
  migrates: 0.75,
  badMigration: 0,
  irreversible: 0,
  badDown: 0,
};
const BAD: Quality = {
  badInstall: 0.08,
  unhealthy: 0.15,
  migrates: 0.75,
  badMigration: 0.15,
  irreversible: 0.03,
  badDown: 0.1,
};

interface Described {
  readonly rollout: { readonly catch_up: boolean; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

function describe(pair: Pair, hosts: readonly string[], random: Random): Described {
  const own = hosts.filter(() => random.chance(0.7));
  const chosen = own.length === 0 ? [random.pick(hosts)] : own;
  const database = {
    tool: 'command',
    up: ['db-up'],
    status: ['db-status'],
    ...(random.chance(0.8) ? { down: ['db-down'] } : {}),
    timeout: '2m',
    allow_irreversible: random.chance(0.8),
  };
  return {
    branch: pair.environment === 'production' ? 'main' : 'develop',
    hosts: chosen,
    app_path: `/srv/${pair.fraise}-${pair.environment}`,
    systemd_service: `${pair.fraise}-${pair.environment}.service`,
    install: { command: ['npm', 'ci'], timeout: '2m' },
    ...(random.chance(0.75) ? { database } : {}),
    ...(random.chance(0.6) ? { hooks: drawHooks(random) } : {}),
    health_check: { url: 'http://127.0.0.1:8000/health', attempts: 3, delay: '2s' },
    rollout: {
      batch: random.pick([1, 2, 3, '50%', [1, 2], [1, '50%']]),
      canary: random.pick([0, 0, 1]),
      bake: random.pick(['0s', '10s']),
      on_failure: random.pick(['rollback', 'rollback', 'pause', 'stop']),
      max_failures: random.pick([0, 0, 0, 1, '50%']),
      min_healthy: random.pick([0, 0, 0, 1, '40%']),
      catch_up: random.chance(0.5),
      ...(random.chance(0.2) ? { progress_deadline: '6m' } : {}),
    },
    timeout: '15m',
  };
}

/** Nobody says of a hook that it may be repeated, unless so drawn. */
function drawHooks(random: Random): object {
  const drawn = HOOKS.filter(() => random.chance(0.4)).map((point) => [
    point,
    { command: ['hook', point], timeout: '1m', repeatable: random.chance(0.2) },
  ]);
  return Object.fromEntries(drawn) as object;
}

const HOOKS = [
  'before_deploy',
  'before_migrate',
  'after_migrate',
  'before_restart',
  'after_health',
  'on_failure',
];

function configurationOf(
  fraises: readonly string[],
  pairs: readonly Pair[],
  described: readonly object[],
): object {
  const of = (fraise: string): object =>
    Object.fromEntries(
      pairs.flatMap((pair, at) => (pair.fraise === fraise ? [[pair.environment, described[at]]] : [])),
    );
  return {
    name: 'simulated',
    git: { provider: 'github', github: { webhook_secret: WEBHOOK_SECRET } },
    fraises: Object.fromEntries(
      fraises.map((fraise) => [
        fraise,
        { type: 'api', repository: repositoryOf(fraise), environments: of(fraise) },
      ]),
    ),
  };
}

export function repositoryOf(fraise: string): string {
  return `https://github.com/acme/${fraise}.git`;
}
