import { z } from 'zod';
import { PROVIDERS } from './fraises.js';
import * as word from './schema-words.js';

/** The shape of `fraises.yaml`. Defaults, inheritance and what spans several keys are not said here. */

const provider = word.oneOf(PROVIDERS);

const NOT_YET = 'is not available in this version';

const type = word
  .oneOf(['api'], {
    etl: `etl ${NOT_YET}; use type: api for what is restarted or only staged`,
    scheduled: `scheduled ${NOT_YET}; use type: api for what is restarted or only staged`,
    backup: `backup ${NOT_YET}; only api is`,
    docker_compose: `docker_compose ${NOT_YET}; only api is`,
  })
  .describe('The kind of fraise; api: code, an optional migration, a restart and a health check');

const OTHER_TOOLS =
  'confiture alembic django flask_migrate knex prisma dbmate flyway rails sql peewee sqitch goose liquibase'.split(
    ' ',
  );
const otherTools = Object.fromEntries(
  OTHER_TOOLS.map((tool) => [tool, `tool ${tool} ${NOT_YET}; use tool: command with up, down and status`]),
);

const secret = z
  .union([word.plainText, z.array(word.plainText).min(1)], { error: 'must be text or a list of texts' })
  .describe(
    'A value or `${NAME}` / `${NAME:-default}` from the environment of the controller; a list while rotating',
  );
const aliasOf = (key: string) => ({ description: `The original's name for ${key}`, deprecated: true });

const gitHost = word.map({
  base_url: word.httpUrl.optional().describe('Where this git host lives, when it is not the public one'),
  webhook_secret: secret.optional(),
  secret: secret.optional().meta(aliasOf('webhook_secret')),
  secret_token: secret.optional().meta(aliasOf('webhook_secret')),
});

const git = word.map({
  provider: provider.optional().describe('The git host of fraises that do not say; default github'),
  github: gitHost.optional(),
  gitlab: gitHost.optional(),
  gitea: gitHost.optional(),
  bitbucket: gitHost.optional(),
});

const labels = z.record(word.labelName, word.labelValue);
const declaredHost = word.map({ labels: labels.optional() }).nullable();

const hostNames = z.array(word.hostName).min(1);
const someLabels = labels.refine((asked) => Object.keys(asked).length > 0, { error: 'must not be empty' });
const hostSelection = z.union([word.hostName, hostNames, someLabels], {
  error: 'must be the name of a host, a list of names, or a map of labels',
});

const userCommand = word.map({
  command: word.commandLine.describe('A list is run as it stands, a string by /bin/sh'),
  user: word.unixUser.optional().describe('Who runs it; default: the user of the environment'),
  timeout: word.duration(1).optional(),
});

const argvOnly = word.argv.describe('A list of words; for a shell write [sh, -c, "…"]');
const database = word.map({
  strategy: word
    .oneOf(['apply', 'migrate', 'rebuild', 'none'], {
      restore_migrate: `restore_migrate ${NOT_YET}; use apply, rebuild or none`,
    })
    .optional()
    .describe(
      'apply: what is pending; rebuild: `up` makes it anew; none. Default apply (`migrate` is the same)',
    ),
  tool: word.oneOf(['command'], otherTools).optional(),
  on: word.hostName.optional().describe('The one host that migrates; default: the first'),
  up: argvOnly.optional(),
  down: argvOnly
    .optional()
    .describe('Undoes what `up` applied; without it a migration is a point of no return'),
  status: argvOnly
    .optional()
    .describe('Prints {"revision": "…"|null, "pending": ["id", …]} as its last line'),
  user: word.unixUser.optional(),
  timeout: word.duration(1).optional().describe('Of one call; default: the timeout of the environment'),
});

const healthCheck = word.map({
  url: word.httpUrl,
  attempts: word.wholeNumber(1, 1000).optional().describe('Default 10'),
  retries: word.wholeNumber(1, 1000).optional().meta(aliasOf('attempts')),
  delay: word.duration(0).optional().describe('Between two attempts; default 3s'),
  timeout: word.duration(1).optional().describe('Of one attempt; default 5s'),
  expect: word
    .map({
      status: word.wholeNumber(100, 599).optional().describe('Default 200'),
      version_field: word
        .text(/^\S+$/, 'the name of a field')
        .optional()
        .describe('A field of the JSON answer that must hold the deployed commit'),
    })
    .optional(),
  stable_for: word
    .duration(0)
    .optional()
    .describe('Healthy this long without a break before it counts; default 0s'),
});

const hostCount = z
  .int({ error: ({ input }) => hostCountFault(input) })
  .min(1, { error: ({ input }) => hostCountFault(input) })
  .max(10_000, { error: ({ input }) => hostCountFault(input) });

function hostCountFault(input: unknown): string {
  const percentage = typeof input === 'string' && input.endsWith('%');
  return percentage
    ? `a percentage ${NOT_YET}; give a number of hosts`
    : 'must be a number of hosts, 1 or more';
}

const rollout = word.map({
  strategy: word.oneOf(['rolling', 'all_at_once']).optional().describe('Default rolling'),
  batch: hostCount.optional().describe('Hosts released at once; default 1'),
  canary: z
    .literal(0, { error: `a canary ${NOT_YET}; leave it out, or 0` })
    .optional()
    .describe('Only 0 in this version'),
  bake: word.duration(0).optional().describe('Wait after each batch; default 0s'),
  max_failures: z
    .literal(0, { error: `allowing failures ${NOT_YET}; leave it out, or 0` })
    .optional()
    .describe('Only 0 in this version'),
  on_failure: word.oneOf(['rollback', 'pause', 'stop']).optional().describe('Default rollback'),
});

const settings = {
  description: word.plainText.optional(),
  provider: provider.optional(),
  repository: word.repository
    .optional()
    .describe('Cloned by agents; a webhook must come from this repository'),
  clone_url: word.repository.optional().meta(aliasOf('repository')),
  git_repo: word.absolutePath.optional().meta(aliasOf('repository')),
  branch: word.branchName.optional().describe('Pushes to it are deployed; default main'),
  tags: word
    .text(/^[^\s\p{Cc}]+$/u, 'a pattern such as "v*"')
    .optional()
    .describe('Pushed tags that are deployed'),
  paths: z
    .array(word.text(/^[^\p{Cc}]+$/u, 'a pattern such as "services/checkout/**"'))
    .min(1)
    .optional()
    .describe('Deploy only when one of these changed'),
  hosts: hostSelection.optional().describe('Names or labels; default: the only enrolled agent'),
  server: word.hostName.optional().meta(aliasOf('hosts')),
  app_path: word.absolutePath.optional().describe('Where it lives on the host'),
  layout: word
    .oneOf(['releases', 'in_place'])
    .optional()
    .describe('Default releases, without a repository in_place'),
  shared: z.array(word.relativePath).optional().describe('Kept across releases'),
  user: word.unixUser.optional().describe("Who the code's commands run as; default: the agent's own user"),
  deploy_user: word.unixUser.optional().meta(aliasOf('user')),
  environment_file: word.absolutePath.optional().describe('KEY=value lines on the host, read there'),
  systemd_service: word.serviceUnit.optional().describe('Restarted at each release'),
  restart: userCommand.optional().describe('Instead of systemd_service'),
  install: userCommand.optional().describe('Run in the staged release'),
  database: database.optional(),
  health_check: healthCheck.optional(),
  rollout: rollout.optional(),
  keep_releases: word.wholeNumber(1, 1000).optional().describe('Default 5'),
  timeout: word.duration(1).optional().describe('Of a whole deployment; default 10m'),
  protected: z.boolean().optional().describe('Default true for names that begin with prod'),
};

const environment = word.map(settings);

export const fraiseSchema = word.map({
  type,
  ...settings,
  environments: z
    .record(word.name, environment)
    .refine((all) => Object.keys(all).length > 0, { error: 'must not be empty' }),
});

const target = word.map({
  fraise: word.plainText.optional(),
  fraise_name: word.plainText.optional().meta(aliasOf('fraise')),
  environment: word.plainText,
});

export const targetsSchema = z.union([target, z.array(target).min(1)], {
  error: 'must be a target { fraise, environment } or a list of them',
});

export const topSchema = word.map({
  name: word.name.optional().describe('Name of the project'),
  deploy_user: word.unixUser.optional().describe('The user of fraises that do not say'),
  git: git.optional(),
  hosts: z
    .record(word.hostName, declaredHost)
    .optional()
    .describe('Labels of hosts, beside those of enrolment'),
  fraises: z
    .record(word.name, fraiseSchema)
    .refine((all) => Object.keys(all).length > 0, { error: 'must not be empty' })
    .describe('All that can be deployed'),
  branch_mapping: z
    .record(word.branchName, targetsSchema)
    .optional()
    .describe('Exact branch to targets; united with the branch of each environment'),
});

export type TopLevel = z.infer<typeof topSchema>;
export type WrittenFraise = z.infer<typeof fraiseSchema>;
export type WrittenSettings = z.infer<typeof environment>;
export type WrittenGit = z.infer<typeof git>;
export type WrittenTarget = z.infer<typeof target>;

/** The JSON Schema of `fraises.yaml` for editors; committed as `fraises.schema.json`. */
export function fraisesJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(topSchema, { io: 'input', reused: 'inline' }) as Record<string, unknown>;
  return { ...schema, title: 'fraises.yaml' };
}
