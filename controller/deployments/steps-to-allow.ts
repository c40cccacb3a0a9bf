import { Phase, type DeploymentPlan, type Step } from '../../proto/gen/fraisier/v1/plan.js';
import { migrationCommands } from '../recipes/database-down.js';

/**
 * Every step that a deployment may come to take on a host, on the way forward and back, for a policy that is asked
 * beforehand: what is refused is found out before anything is touched. The migration is the migrating host's alone.
 */
export function stepsToAllow(plan: DeploymentPlan, host: string): Step[] {
  const migrates = host === plan.migratingHost;
  const ahead = plan.phases.filter(({ phase }) => phase !== Phase.MIGRATE || migrates);
  const { migration } = plan;
  return [
    ...ahead.flatMap(({ steps }) => steps),
    ...plan.undoTemplate,
    ...(migration === undefined || !migrates ? [] : migrationCommands(migration, plan.commit)),
  ];
}
