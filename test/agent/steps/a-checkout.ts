import { execFileSync } from 'node:child_process';
import type { Target } from '../../../proto/gen/fraisier/v1/plan.js';
import { Phase } from '../../../proto/gen/fraisier/v1/plan.js';
import type { StepContext, StepEnd } from '../../../agent/steps/step.js';
import { Outcome } from '../../../proto/gen/fraisier/v1/agent.js';
import { withFolder } from '../exec/a-spec.js';
import { aRepository } from './a-repository.js';
import type { TestRepository } from './a-repository.js';
import { aHost, aPolicy } from './a-step-context.js';
import type { AnAction, TestHost } from './a-step-context.js';

/** A host with a checkout at app_path, cloned from a real repository, that is deployed in place. */
export interface Scene {
  readonly host: TestHost;
  readonly origin: TestRepository;
  readonly app: string;
  /** Git by hand, in the checkout. */
  readonly git: (...args: string[]) => string;
  /** Preflight, fetch and stage; throws with the reason of what failed. */
  readonly prepare: (commit: string) => Promise<void>;
  readonly activate: (commit: string, more?: Partial<StepContext>) => Promise<StepEnd>;
}

export async function withCheckout(
  use: (scene: Scene) => Promise<void>,
  target: Partial<Target> = {},
  more: Partial<StepContext> = {},
): Promise<void> {
  await withFolder(async (folder) => {
    const origin = aRepository(folder);
    origin.commit({ a: '1', '.gitignore': 'ignored\n' }, 'the first');
    const app = `${folder}/app`;
    execFileSync('git', ['clone', '--quiet', origin.url, app]);
    const policy = aPolicy(folder, { repositories: ['file://*'] });
    const host = await aHost(folder, { layout: 'LAYOUT_IN_PLACE', ...target }, { policy, ...more });
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', app, '-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }).trim();
    const prepare = async (commit: string): Promise<void> => {
      for (const action of [PREFLIGHT, fetchOf('', commit), stageOf(commit)]) {
        const why = reasonOf(await host.run(action));
        if (why !== '') throw new Error(why);
      }
    };
    const activate: Scene['activate'] = (commit, changes = {}) =>
      host.run(activateOf(commit), { phase: Phase.RELEASE, ...changes });
    await use({ host, origin, app, git, prepare, activate });
  });
}

export const PREFLIGHT: AnAction = { $case: 'preflight', value: {} };

export const fetchOf = (repository: string, commit: string, more: object = {}): AnAction => ({
  $case: 'fetch',
  value: { repository, commit, ref: '', attempts: 1, delayMs: 1, ...more },
});

export const stageOf = (commit: string, more: object = {}): AnAction => ({
  $case: 'stage',
  value: { commit, ...more },
});

export const activateOf = (commit: string): AnAction => ({ $case: 'activate', value: { commit } });

/** `code: message`, empty for a step that succeeded. */
export function reasonOf(end: StepEnd): string {
  return end.outcome === Outcome.SUCCEEDED ? '' : `${end.reason.code}: ${end.reason.message}`;
}
