import type { ErrorCode } from '../proto/error-codes.js';
import type { Deployment } from '../proto/gen/fraisier/v1/control.js';

/** What the shell is told; the table in the command line's documentation. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  away: 3,
  notDone: 4,
  notAllowed: 5,
  interrupted: 130,
} as const;

/** Every reason a call can be refused for, or a record can carry. */
export const EXIT_OF_ERROR: Readonly<Record<ErrorCode, number>> = {
  usage: EXIT.usage,
  invalid_configuration: EXIT.usage,
  no_configuration: EXIT.usage,
  unknown_fraise: EXIT.usage,
  unknown_environment: EXIT.usage,
  unknown_commit: EXIT.usage,
  unknown_host: EXIT.usage,
  unknown_deployment: EXIT.usage,
  unknown_webhook: EXIT.usage,
  unknown_agent: EXIT.usage,
  no_hosts: EXIT.usage,
  agent_away: EXIT.away,
  no_answer: EXIT.away,
  not_steerable: EXIT.notDone,
  locked: EXIT.notDone,
  not_allowed: EXIT.notAllowed,
  unauthenticated: EXIT.notAllowed,
  token_invalid: EXIT.notAllowed,
  token_used: EXIT.notAllowed,
  token_expired: EXIT.notAllowed,
  agent_revoked: EXIT.notAllowed,
  agent_replaced: EXIT.away,
  protocol_mismatch: EXIT.away,
  protocol_violation: EXIT.away,
  controller_away: EXIT.away,
  controller_untrusted: EXIT.away,
  database_away: EXIT.away,
  shutting_down: EXIT.away,
  internal: EXIT.away,
  policy_refused: EXIT.notAllowed,
  command_failed: EXIT.failed,
  command_not_found: EXIT.failed,
  timed_out: EXIT.failed,
  preflight_failed: EXIT.failed,
  unknown_user: EXIT.failed,
  unknown_unit: EXIT.failed,
  hook_failed: EXIT.failed,
  backup_failed: EXIT.failed,
  irreversible_migration: EXIT.failed,
  health_misconfigured: EXIT.failed,
  script_invalid: EXIT.failed,
  still_running: EXIT.failed,
  timer_failed: EXIT.failed,
  already_live: EXIT.done,
  hosts_failed: EXIT.failed,
  hosts_skipped: EXIT.done,
  too_few_healthy: EXIT.failed,
  no_progress: EXIT.failed,
  left_behind: EXIT.done,
  no_rollback_target: EXIT.notDone,
  not_replayable: EXIT.notDone,
  database_cannot_go_back: EXIT.notDone,
  unknown_lock: EXIT.usage,
  disk_full: EXIT.failed,
  fetch_failed: EXIT.failed,
  commit_not_found: EXIT.failed,
  dirty_tree: EXIT.failed,
  stage_failed: EXIT.failed,
  activate_failed: EXIT.failed,
  restart_failed: EXIT.failed,
  health_check_failed: EXIT.failed,
  wrong_version: EXIT.failed,
  migration_status_unreadable: EXIT.failed,
  migrations_changed: EXIT.failed,
  migration_failed: EXIT.failed,
  outcome_unknown: EXIT.away,
  host_rebooted: EXIT.away,
  agent_forgot_run: EXIT.away,
  host_lost: EXIT.away,
  run_failed: EXIT.failed,
  cancelled: EXIT.notDone,
  superseded: EXIT.notDone,
  deployment_timed_out: EXIT.failed,
  no_previous_release: EXIT.failed,
  undo_failed: EXIT.failed,
  prune_failed: EXIT.failed,
  migration_not_undone: EXIT.failed,
  paused: EXIT.notDone,
  deployment_running: EXIT.notDone,
  waiting_for_host: EXIT.notDone,
  rolled_back: EXIT.failed,
  branch_deleted: EXIT.notDone,
  not_a_push: EXIT.notDone,
  tag_push: EXIT.notDone,
  unknown_event: EXIT.notDone,
  unknown_repository: EXIT.notDone,
  no_target: EXIT.notDone,
  paths_unchanged: EXIT.notDone,
  paths_unknown: EXIT.notDone,
  skip_marker: EXIT.notDone,
  order_unknown: EXIT.notDone,
  missed_push: EXIT.notDone,
  duplicate_delivery: EXIT.notDone,
  bad_signature: EXIT.notAllowed,
  unparseable: EXIT.usage,
  too_large: EXIT.usage,
  rate_limited: EXIT.notDone,
};

/** `deploy` stands for everything that wants the new version live: `watch` and `continue` too. */
export type Asked = 'deploy' | 'cancel' | 'rollback';

/** By the deployment's status and by what was asked for: what was asked for and happened is 0. */
export const EXIT_OF_STATUS: Readonly<Record<Asked, Readonly<Record<string, number>>>> = {
  deploy: {
    queued: EXIT.done,
    running: EXIT.done,
    paused: EXIT.notDone,
    rolling_back: EXIT.done,
    succeeded: EXIT.done,
    unchanged: EXIT.done,
    failed: EXIT.failed,
    rolled_back: EXIT.failed,
    rollback_failed: EXIT.failed,
    cancelled: EXIT.notDone,
    superseded: EXIT.notDone,
  },
  cancel: {
    queued: EXIT.done,
    running: EXIT.done,
    paused: EXIT.notDone,
    rolling_back: EXIT.done,
    succeeded: EXIT.notDone,
    unchanged: EXIT.notDone,
    failed: EXIT.failed,
    rolled_back: EXIT.done,
    rollback_failed: EXIT.failed,
    cancelled: EXIT.done,
    superseded: EXIT.done,
  },
  rollback: {
    queued: EXIT.done,
    running: EXIT.done,
    paused: EXIT.notDone,
    rolling_back: EXIT.done,
    succeeded: EXIT.done,
    unchanged: EXIT.done,
    failed: EXIT.failed,
    rolled_back: EXIT.done,
    rollback_failed: EXIT.failed,
    cancelled: EXIT.notDone,
    superseded: EXIT.notDone,
  },
};

/** The exit code of an error's reason; 3 for a code that a newer controller knows and this program does not. */
export function exitCodeOfError(code: string): number {
  return (EXIT_OF_ERROR as Readonly<Record<string, number>>)[code] ?? EXIT.away;
}

/** The exit code of a deployment as it stands. One that failed because a host's policy refused it is "not allowed". */
export function exitCodeOfDeployment(
  deployment: Pick<Deployment, 'status' | 'reason' | 'hosts' | 'kind'>,
  asked: Asked,
): number {
  const code = EXIT_OF_STATUS[wantedOf(deployment, asked)][deployment.status] ?? EXIT.away;
  const reasons = [deployment.reason, ...deployment.hosts.map((host) => host.reason)];
  const refused = reasons.some((reason) => reason?.code === 'policy_refused');
  return code === EXIT.failed && deployment.status === 'failed' && refused ? EXIT.notAllowed : code;
}

/** What was rolled back before it touched anything ends `cancelled`: that is what was asked for. */
function wantedOf({ kind }: Pick<Deployment, 'kind'>, asked: Asked): Asked {
  return asked === 'rollback' && kind !== 'rollback' ? 'cancel' : asked;
}
