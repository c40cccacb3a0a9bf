import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import type { DeploymentStatus } from '../deployments/lifecycle.js';
import type { CommitStatus, StatusState } from './commit-status.js';

/**
 * What a git host is told when a deployment got to `status`. Statuses may be public, so no reason is told: only the
 * deployment's id and how it is. A commit that was live already is a success; one that was never released because it was
 * cancelled or a newer push came is neither that nor a failure.
 */
export function statusOf(
  deployment: Pick<DeploymentRow, 'id' | 'fraise' | 'environment' | 'kind'>,
  status: DeploymentStatus,
  publicUrl: string | null,
): CommitStatus {
  const { id, fraise, environment, kind } = deployment;
  const [state, said] = wordsFor(status, kind);
  return {
    state,
    context: `fraisier/${fraise}/${environment}`,
    description: `${id} ${said}`,
    link: publicUrl === null ? null : `${publicUrl}/deployments/${id}`,
  };
}

function wordsFor(status: DeploymentStatus, kind: DeploymentRow['kind']): [StatusState, string] {
  switch (status) {
    case 'queued':
      return ['queued', 'is waiting'];
    case 'running':
      return ['running', 'is running'];
    case 'paused':
      return ['running', 'is paused'];
    case 'rolling_back':
      return ['running', 'is rolling back'];
    case 'succeeded':
      return ['success', 'succeeded'];
    case 'unchanged':
      return ['success', 'changed nothing: this commit was live already'];
    case 'failed':
      return ['failure', 'failed'];
    case 'rolled_back':
      // A rollback that was asked for is a deployment of the commit gone back to.
      return kind === 'rollback'
        ? ['success', 'went back to this commit']
        : ['failure', 'failed and was rolled back'];
    case 'rollback_failed':
      return ['failure', 'failed, and so did going back'];
    case 'cancelled':
      return ['cancelled', 'was cancelled'];
    case 'superseded':
      return ['cancelled', 'was superseded by a newer push'];
  }
}
