import { FraisierError, type ErrorCode } from '../proto/error-codes.js';
import { Step } from '../proto/gen/fraisier/v1/plan.js';
import type { Health, Reason, Target } from '../proto/gen/fraisier/v1/plan.js';
import type { Policy } from './policy.js';
import type { Asks } from './questions.js';
import type { HostPorts } from './questions/host-ports.js';
import { changedPaths } from './questions/changed-paths.js';
import { inspectFraise } from './questions/inspect-fraise.js';
import { isAncestor } from './questions/is-ancestor.js';
import { previewPlan } from './questions/preview-plan.js';
import { resolveRef } from './questions/resolve-ref.js';
import type { Systemd } from './steps/step.js';
import { checkPolicy } from './steps/index.js';

/** The questions bound to this host: the policy is read afresh for each. */
export function hostAsks(host: {
  readonly stateFolder: string;
  readonly systemd: Systemd | null;
  readonly loadPolicy: () => Promise<Policy>;
}): Asks {
  const { stateFolder, systemd, loadPolicy } = host;
  const ports = async (signal: AbortSignal): Promise<HostPorts> => ({
    stateFolder,
    systemd,
    signal,
    policy: await loadPolicy(),
  });
  return {
    resolveRef: async (question, signal) => ({ commit: await resolveRef(question, await ports(signal)) }),
    preview: async (question, signal) => previewPlan(question, await ports(signal)),
    isAncestor: async (question, signal) => ({ isAncestor: await isAncestor(question, await ports(signal)) }),
    changedPaths: async (question, signal) => changedPaths(question, await ports(signal)),
    inspect: async ({ target, health }, signal) => {
      const bound = await ports(signal);
      return inspectFraise(await allowed(target, health, bound.policy), health, bound);
    },
  };
}

async function allowed(
  target: Target | undefined,
  health: Health | undefined,
  policy: Policy,
): Promise<Target> {
  if (target === undefined) throw new FraisierError('protocol_violation', 'the question names no target');
  const refusal = await checkPolicy(target, asked(health), policy);
  if (refusal !== null) throw refused(refusal);
  return target;
}

/** What a question asks of a health check: its commands are not run, so they need not be allowed. */
function asked(health: Health | undefined): readonly Step[] {
  if (health === undefined) return [];
  const probes = health.probes.filter(({ look }) => look?.$case !== 'command');
  return [Step.fromPartial({ name: 'health', action: { $case: 'health', value: { ...health, probes } } })];
}

function refused({ code, message, hint, facts }: Reason): FraisierError {
  return new FraisierError(code as ErrorCode, message, { hint, facts });
}
