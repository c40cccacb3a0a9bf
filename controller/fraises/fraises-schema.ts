import { z } from 'zod';
import { durationMs } from './duration.js';
import { PROVIDERS } from './fraises.js';
import { database } from './schema-database.js';
import { healthCheck } from './schema-health.js';
import { kindSettings } from './schema-jobs.js';
import { hooks } from './schema-hooks.js';
import { rollout } from './schema-rollout.js';
import * as word from './schema-words.js';

/** Git hosts count requests. */
const LEAST_CHECK_MS = 10_000;

/** The shape of `fraises.yaml`. Defaults, inheritance and what spans several keys are not said here. */

const provider = word.oneOf(PROVIDERS);

const type = word
  .oneOf(['api', 'etl', 'scheduled'], {
    backup: `backup ${word.NOT_YET}; use type: scheduled for what a timer starts`,
    docker_compose: `docker_compose ${word.NOT_YET}; only api, etl and scheduled are`,
  })
  .describe('The kind of fraise; api: a service that is restarted; etl: a script; scheduled: systemd timers');

const secret = z
  .union([word.plainText, z.array(word.plainText).min(1)], { error: 'must be text or a list of texts' })
  .describe(
    'A value or `${NAME}` / `${NAME:-default}` from the environment of the controller; a list while rotating',
  );
const missedPushes = {
  missed_push_check: word
    .duration(1)
    .refine((written) => durationMs(written) >= LEAST_CHECK_MS, { error: 'must be 10s or longer' })
    .optional()
    .describe('How often an agent looks for pushes that no webhook told, such as 5m; default: never'),
  missed_push: word
    .oneOf(['record', 'deploy'])
    .optional()
    .describe('What becomes of a push that no webhook told; default record'),
};
const gitHost = word.map({
  ...missedPushes,
  base_url: word.httpUrl.optional().describe('Where this git host lives, when it is not the public one'),
  webhook_secret: secret.optional(),
  secret: secret.optional().meta(word.aliasOf('webhook_secret')),
  secret_token: secret.optional().meta(word.aliasOf('webhook_secret')),
  status_token: word.plainText
    .optional()
    .describe(
      '`${NAME}` of a token in the environment of the controller, with which commits get their status',
    ),
  statuses: z
    .boolean()
    .optional()
    .describe('Whether commits get a status; default: when there is a status_token'),
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

const settings = {
  description: word.plainText.optional(),
  provider: provider.optional(),
  repository: word.repository
    .optional()
    .describe('Cloned by agents; a webhook must come from this repository'),
  clone_url: word.repository.optional().meta(word.aliasOf('repository')),
  git_repo: word.absolutePath.optional().meta(word.aliasOf('repository')),
  branch: word.branchPattern
    .optional()
    .describe('Pushes to it are deployed, or to every branch of a pattern such as "release/*"; default main'),
  tags: word
    .text(/^[^\s\p{Cc}]+$/u, 'a pattern such as "v*"')
    .optional()
    .describe('Pushed tags that are deployed'),
  paths: z
    .array(word.text(/^[^\p{Cc}]+$/u, 'a pattern such as "services/checkout/**"'))
    .min(1)
    .optional()
    .describe('Deploy a push only when one of these changed'),
  skip_marker: z
    .boolean()
    .optional()
    .describe('A push whose head commit says [skip deploy] is not deployed; default false'),
  ...missedPushes,
  webhook_secret: secret.optional().describe('Of webhooks of this repository, beside those of its git host'),
  hosts: hostSelection.optional().describe('Names or labels; default: the only enrolled agent'),
  server: word.hostName.optional().meta(word.aliasOf('hosts')),
  app_path: word.absolutePath.optional().describe('Where it lives on the host'),
  layout: word
    .oneOf(['releases', 'in_place'])
    .optional()
    .describe('Default releases, without a repository in_place'),
  shared: z.array(word.relativePath).optional().describe('Kept across releases'),
  submodules: z.boolean().optional().describe("Deploy the commit's submodules with it; default false"),
  clone: word
    .map({
      filter: word
        .oneOf(['blob:none'])
        .optional()
        .describe('blob:none: fetch the files of a commit only when it is deployed, for large repositories'),
    })
    .optional()
    .describe('How agents keep their mirror of the repository'),
  root: word.relativePath
    .optional()
    .describe(
      'Sub-folder of the repository in which commands run, as in services/checkout; default: its top',
    ),
  user: word.unixUser.optional().describe("Who the code's commands run as; default: the agent's own user"),
  deploy_user: word.unixUser.optional().meta(word.aliasOf('user')),
  environment_file: word.absolutePath.optional().describe('KEY=value lines on the host, read there'),
  systemd_service: word.serviceUnit.optional().describe('Restarted at each release'),
  systemd_socket: word.socketUnit
    .optional()
    .describe('Restarted with systemd_service, in front of which it is'),
  restart_mode: word
    .oneOf(['restart', 'reload', 'try_restart'])
    .optional()
    .describe('What is done to systemd_service; default restart'),
  restart: word.userCommand.optional().describe('Instead of systemd_service'),
  install: word.userCommand.optional().describe('Run in the staged release'),
  database: database.optional(),
  health_check: healthCheck.optional(),
  rollout: rollout.optional(),
  hooks: hooks.optional().describe('Commands of your own at named points of a deployment'),
  ...kindSettings,
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
  fraise_name: word.plainText.optional().meta(word.aliasOf('fraise')),
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
  const schema = z.toJSONSchema(topSchema, { io: 'input', reused: 'ref' }) as Record<string, unknown>;
  return { ...schema, title: 'fraises.yaml' };
}
