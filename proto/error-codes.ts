import { status as GrpcStatus } from '@grpc/grpc-js';
import type { Reason } from './gen/fraisier/v1/plan.js';

/**
 * Every code a `Reason` can carry, with the gRPC status it travels under when it is an answer to a call.
 * Codes that only ever explain a record (a lost host, a failed check) map to UNKNOWN and never cross as a status.
 */
export const ERROR_CODES = {
  // answers to a call
  usage: GrpcStatus.INVALID_ARGUMENT,
  invalid_configuration: GrpcStatus.INVALID_ARGUMENT,
  no_configuration: GrpcStatus.FAILED_PRECONDITION,
  unknown_fraise: GrpcStatus.NOT_FOUND,
  unknown_environment: GrpcStatus.NOT_FOUND,
  unknown_commit: GrpcStatus.NOT_FOUND,
  unknown_host: GrpcStatus.NOT_FOUND,
  unknown_deployment: GrpcStatus.NOT_FOUND,
  unknown_webhook: GrpcStatus.NOT_FOUND,
  unknown_agent: GrpcStatus.NOT_FOUND,
  no_hosts: GrpcStatus.FAILED_PRECONDITION,
  agent_away: GrpcStatus.UNAVAILABLE,
  no_answer: GrpcStatus.UNAVAILABLE,
  not_steerable: GrpcStatus.FAILED_PRECONDITION,
  locked: GrpcStatus.FAILED_PRECONDITION,
  not_allowed: GrpcStatus.PERMISSION_DENIED,
  unauthenticated: GrpcStatus.UNAUTHENTICATED,
  token_invalid: GrpcStatus.UNAUTHENTICATED,
  token_used: GrpcStatus.UNAUTHENTICATED,
  token_expired: GrpcStatus.UNAUTHENTICATED,
  agent_revoked: GrpcStatus.PERMISSION_DENIED,
  agent_replaced: GrpcStatus.ABORTED,
  protocol_mismatch: GrpcStatus.FAILED_PRECONDITION,
  protocol_violation: GrpcStatus.INVALID_ARGUMENT,
  controller_away: GrpcStatus.UNAVAILABLE,
  controller_untrusted: GrpcStatus.UNAVAILABLE,
  database_away: GrpcStatus.UNAVAILABLE,
  shutting_down: GrpcStatus.UNAVAILABLE,
  internal: GrpcStatus.INTERNAL,
  // refused by the host
  policy_refused: GrpcStatus.PERMISSION_DENIED,
  // why a step, run or deployment is as it is
  command_failed: GrpcStatus.UNKNOWN,
  command_not_found: GrpcStatus.UNKNOWN,
  timed_out: GrpcStatus.UNKNOWN,
  preflight_failed: GrpcStatus.UNKNOWN,
  unknown_user: GrpcStatus.UNKNOWN,
  unknown_unit: GrpcStatus.UNKNOWN,
  disk_full: GrpcStatus.UNKNOWN,
  fetch_failed: GrpcStatus.UNKNOWN,
  commit_not_found: GrpcStatus.UNKNOWN,
  dirty_tree: GrpcStatus.UNKNOWN,
  stage_failed: GrpcStatus.UNKNOWN,
  activate_failed: GrpcStatus.UNKNOWN,
  restart_failed: GrpcStatus.UNKNOWN,
  health_check_failed: GrpcStatus.UNKNOWN,
  wrong_version: GrpcStatus.UNKNOWN,
  migration_status_unreadable: GrpcStatus.UNKNOWN,
  migrations_changed: GrpcStatus.UNKNOWN,
  migration_failed: GrpcStatus.UNKNOWN,
  outcome_unknown: GrpcStatus.UNKNOWN,
  host_rebooted: GrpcStatus.UNKNOWN,
  agent_forgot_run: GrpcStatus.UNKNOWN,
  host_lost: GrpcStatus.UNKNOWN,
  run_failed: GrpcStatus.UNKNOWN,
  cancelled: GrpcStatus.UNKNOWN,
  superseded: GrpcStatus.UNKNOWN,
  deployment_timed_out: GrpcStatus.UNKNOWN,
  no_previous_release: GrpcStatus.UNKNOWN,
  undo_failed: GrpcStatus.UNKNOWN,
  prune_failed: GrpcStatus.UNKNOWN,
  migration_not_undone: GrpcStatus.UNKNOWN,
  paused: GrpcStatus.UNKNOWN,
  deployment_running: GrpcStatus.UNKNOWN,
  waiting_for_host: GrpcStatus.UNKNOWN,
  rolled_back: GrpcStatus.UNKNOWN,
  hook_failed: GrpcStatus.UNKNOWN,
  backup_failed: GrpcStatus.UNKNOWN,
  irreversible_migration: GrpcStatus.FAILED_PRECONDITION,
  health_misconfigured: GrpcStatus.UNKNOWN,
  script_invalid: GrpcStatus.UNKNOWN,
  still_running: GrpcStatus.UNKNOWN,
  timer_failed: GrpcStatus.UNKNOWN,
  already_live: GrpcStatus.UNKNOWN,
  hosts_failed: GrpcStatus.UNKNOWN,
  hosts_skipped: GrpcStatus.UNKNOWN,
  too_few_healthy: GrpcStatus.UNKNOWN,
  no_progress: GrpcStatus.UNKNOWN,
  left_behind: GrpcStatus.UNKNOWN,
  no_rollback_target: GrpcStatus.FAILED_PRECONDITION,
  database_cannot_go_back: GrpcStatus.FAILED_PRECONDITION,
  unknown_lock: GrpcStatus.NOT_FOUND,
  not_replayable: GrpcStatus.FAILED_PRECONDITION,
  // verdicts of the webhook ledger
  branch_deleted: GrpcStatus.UNKNOWN,
  not_a_push: GrpcStatus.UNKNOWN,
  tag_push: GrpcStatus.UNKNOWN,
  unknown_event: GrpcStatus.UNKNOWN,
  unknown_repository: GrpcStatus.UNKNOWN,
  no_target: GrpcStatus.UNKNOWN,
  paths_unchanged: GrpcStatus.UNKNOWN,
  paths_unknown: GrpcStatus.UNKNOWN,
  order_unknown: GrpcStatus.UNKNOWN,
  missed_push: GrpcStatus.UNKNOWN,
  skip_marker: GrpcStatus.UNKNOWN,
  duplicate_delivery: GrpcStatus.UNKNOWN,
  bad_signature: GrpcStatus.UNAUTHENTICATED,
  unparseable: GrpcStatus.INVALID_ARGUMENT,
  too_large: GrpcStatus.INVALID_ARGUMENT,
  rate_limited: GrpcStatus.RESOURCE_EXHAUSTED,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Builds a Reason; `facts` are the typed details that programs read, `hint` the next command to type. */
export function reason(
  code: ErrorCode,
  message: string,
  more: { hint?: string; facts?: Record<string, string> } = {},
): Reason {
  return { code, message, hint: more.hint ?? '', facts: more.facts ?? {} };
}

/**
 * The one error class: something was asked and refused, or could not be done, for a stated reason.
 * Shown to people as `message`, plus `reason.hint` as the next thing to type.
 */
export class FraisierError extends Error {
  readonly reason: Reason;

  constructor(
    code: ErrorCode,
    message: string,
    more: { hint?: string; facts?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'FraisierError';
    this.reason = reason(code, message, more);
  }
}

/** The gRPC status a reason travels under; UNKNOWN for a code this build does not know (a newer peer's). */
export function grpcStatusOf(code: string): GrpcStatus {
  return code in ERROR_CODES ? ERROR_CODES[code as ErrorCode] : GrpcStatus.UNKNOWN;
}
