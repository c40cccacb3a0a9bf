import type { ApplyConfigurationResponse } from '../../proto/gen/fraisier/v1/control.js';
import type { Look } from '../look.js';
import { lines } from './table.js';

/** What `apply` changed, or would change. */
export function applied(answer: ApplyConfigurationResponse, dryRun: boolean, { ink }: Look): string {
  const differences = answer.differences.map((difference) => `  ${difference}`);
  const warnings = answer.warnings.map((warning) => ink.yellow(`warning: ${warning}`));
  return lines([head(answer, dryRun), ...differences, ...warnings]);
}

function head({ changed, revision }: ApplyConfigurationResponse, dryRun: boolean): string {
  if (!changed)
    return revision === 0 ? 'nothing would change' : `nothing changed: revision ${revision} is current`;
  return dryRun ? 'this would change:' : `revision ${revision} applied:`;
}
