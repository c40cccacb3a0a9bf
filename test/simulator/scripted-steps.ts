import type { StepContext, StepEnd } from '../../agent/steps/step.js';
import { endOfCommand, failed, succeeded } from '../../agent/steps/ends.js';
import { migrate } from '../../agent/steps/migrate.js';
import { migrationStatus } from '../../agent/steps/migration-status.js';
import { FraisierError } from '../../proto/error-codes.js';
import { Outcome } from '../../proto/gen/fraisier/v1/agent.js';
import type { Command, Health, Preflight, Step } from '../../proto/gen/fraisier/v1/plan.js';
import type { Installed } from './installed.js';
import type { Random } from './random.js';
import type { SimulatedHost } from './simulated-host.js';
import type { Software } from './software.js';

/**
 * What `agent/steps/index.ts` does on a real host, here on a simulated one: the same commands through the same context,
 * and where a real step changes files itself, the simulated host is changed at once.
 */
export function scriptedSteps(
  host: SimulatedHost,
  software: Software,
): (step: Step, context: StepContext) => Promise<StepEnd> {
  const random = host.random.fork('steps');
  return (step, context) => {
    const at: Place = { host, software, random, context, app: host.installed(context.target) };
    return act(step, at).catch((error: unknown) => {
      if (!(error instanceof FraisierError) || context.signal.aborted) throw error;
      return { outcome: Outcome.FAILED, reason: error.reason };
    });
  };
}

interface Place {
  readonly host: SimulatedHost;
  readonly software: Software;
  readonly random: Random;
  readonly context: StepContext;
  readonly app: Installed;
}

function act({ action, name }: Step, at: Place): Promise<StepEnd> {
  switch (action?.$case) {
    case 'preflight':
      return preflight(action.value, at);
    case 'fetch':
      return command(['fetch', action.value.commit], action.value.commit, at);
    case 'stage':
      return command(['stage', action.value.commit], action.value.commit, at);
    case 'command':
      return planned(action.value, at);
    case 'migrationStatus':
      return migrationStatus(action.value, at.context);
    case 'migrate':
      return migrate(action.value, at.context);
    case 'activate':
      return activate(action.value.commit, at);
    case 'restart':
      return restart(at);
    case 'health':
      return health(action.value, at);
    case 'deactivate':
      return deactivate(at);
    case 'prune':
      return command(['prune'], '', at);
    case 'script':
    case 'awaitIdle':
    case 'backup':
    case 'prove':
    case 'timers':
    case 'unitFiles':
    case undefined:
      return Promise.resolve(failed('internal', `the simulator does not play ${name}`));
  }
}

async function preflight(spec: Preflight, at: Place): Promise<StepEnd> {
  const { context, app } = at;
  const looked = await command(['git', '--version'], '', at);
  if (looked.outcome !== Outcome.SUCCEEDED) return looked;
  const previousProvenGood = app.proven.has(app.live);
  const isLive = app.live === context.commit && app.serving === app.live;
  const settled = spec.settle && isLive && previousProvenGood && isHealthy(at);
  const unhealthy = app.live !== '' && !settled && spec.look && !isHealthy(at);
  return succeeded({
    previousRelease: app.live,
    previousProvenGood,
    ...(spec.look ? { unhealthy } : {}),
    ...(spec.settle ? { settled } : {}),
  });
}

async function command(argv: readonly string[], commit: string, { context }: Place): Promise<StepEnd> {
  const end = await context.command({ argv, environment: environmentOf(context, commit) });
  if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
  return endOfCommand(end, argv.join(' '), 'command_failed');
}

function planned(spec: Command, at: Place): Promise<StepEnd> {
  return command(spec.argv, spec.commit, at);
}

function environmentOf({ target }: StepContext, commit: string): Readonly<Record<string, string>> {
  return {
    FRAISIER_FRAISE: target.fraise,
    FRAISIER_ENVIRONMENT: target.environment,
    FRAISIER_COMMIT: commit,
  };
}

async function activate(commit: string, { context, app, random }: Place): Promise<StepEnd> {
  await context.sleep(random.whole(1, 50), context.signal);
  if (!app.releases.has(commit)) return failed('activate_failed', `there is no release ${commit}`);
  app.live = commit;
  return succeeded({});
}

async function restart({ context, host, random }: Place): Promise<StepEnd> {
  const downMs = random.whole(50, 4_000);
  host.restart(context.runId, context.target, downMs);
  await context.sleep(downMs + random.whole(50, 2_000), context.signal);
  return succeeded({});
}

async function health(spec: Health, at: Place): Promise<StepEnd> {
  const { context, app } = at;
  for (let attempt = 1; attempt <= spec.attempts; attempt += 1) {
    if (attempt > 1) await context.sleep(spec.delayMs, context.signal);
    const healthy = isHealthy(at);
    await context.note('health_attempt', healthy ? 'healthy' : 'not healthy', { attempt: String(attempt) });
    context.signal.throwIfAborted();
    if (!healthy) continue;
    app.proven.add(app.live);
    return succeeded({ summary: 'healthy' });
  }
  return failed('health_check_failed', 'it never was healthy');
}

/** The process is that of the live release, and the release is a good one. */
function isHealthy({ app, software, context }: Place): boolean {
  const commit = software.commit(context.target.fraise, app.serving);
  return app.serving !== '' && app.serving === app.live && commit?.healthy === true;
}

async function deactivate({ context, app, random }: Place): Promise<StepEnd> {
  await context.sleep(random.whole(50, 2_000), context.signal);
  app.live = '';
  app.serving = '';
  return succeeded({});
}
