import type { UnitFileChange } from '../../proto/gen/fraisier/v1/agent.js';
import type { Reason, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { checkUnits } from '../steps/check-units.js';
import { onWire } from '../steps/unit-changes.js';
import { questionGit } from './host-ports.js';
import type { HostPorts } from './host-ports.js';

/** What a deployment of the commit does to the unit files of this host, or why its units cannot be put in place. */
export async function previewUnits(
  target: Target,
  commit: string,
  mirror: string,
  ports: HostPorts,
): Promise<{ readonly changes: readonly UnitFileChange[]; readonly refusals: readonly Reason[] }> {
  if (target.jobs.length === 0) return { changes: [], refusals: [] };
  const git = questionGit(ports);
  const found = await checkUnits(commit, { target, systemd: ports.systemd, git, mirror });
  if (found.problem !== null) return { changes: [], refusals: [found.problem.reason] };
  return { changes: onWire(found.changes, found.systemd.unitFolder), refusals: [] };
}
