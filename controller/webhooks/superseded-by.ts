import { reason } from '../../proto/error-codes.js';
import type { Reason } from '../../proto/gen/fraisier/v1/plan.js';
import type { NewDeployment } from '../deployments/ledger/deployment.js';

/** Why a queued push ended: in favour of a newer one. */
export function supersededBy({ id, commit }: Pick<NewDeployment, 'id' | 'commit'>): Reason {
  return reason('superseded', `superseded by ${id}, a newer push: ${commit.slice(0, 12)}`, {
    hint: `fraisier show ${id}`,
    facts: { by: id, commit },
  });
}
