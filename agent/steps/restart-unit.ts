import { endOfCommand, failed, succeeded } from './ends.js';
import { isOk } from './git.js';
import { fullUnitName } from './policy-rules.js';
import type { CommandEnd, RestartVerb, StepContext, StepEnd, Systemd } from './step.js';
import { noSystemd, unitFailed } from './unit-failure.js';

/** Between looks after systemd called the job done: a service that only forks is "started" before it has failed. */
const PAUSES_MS = [150, 150];
/** Types whose start systemd itself waits for until the service is ready, or over. */
const TELLS_WHEN_READY = /^(?:notify|notify-reload|forking|dbus|oneshot)$/;

const VERBS: Readonly<Record<string, RestartVerb>> = {
  '': 'restart',
  restart: 'restart',
  reload: 'reload',
  try_restart: 'try-restart',
};

/** What the plan says of the restart of a unit. */
export interface UnitRestart {
  readonly service: string;
  /** Empty: none. */
  readonly socket: string;
  readonly mode: string;
}

/** Restarts or reloads the unit, its socket with it (both are down for a moment), and looks whether it is up right afterwards. */
export async function restartUnit(
  { service, socket, mode }: UnitRestart,
  context: StepContext,
): Promise<StepEnd> {
  const unit = fullUnitName(service);
  const { systemd } = context;
  if (systemd === null) return noSystemd(unit);
  const verb = VERBS[mode];
  if (verb === undefined) {
    return failed('restart_failed', `this agent does not know how to ${mode} a unit`, {
      hint: 'upgrade the agent',
    });
  }
  const doing = verb === 'reload' ? await reloadOrStart(unit, systemd) : verb;
  const end = await act({ unit, socket, doing }, systemd, context.signal);
  const units = socket === '' ? [unit] : [socket, unit];
  if (end.ended !== 'exited') return endOfCommand(end, `systemctl ${doing} ${unit}`, 'restart_failed');
  if (end.exitCode !== 0) return refused(end.output, units, doing, context);
  return watch(unit, doing, context, systemd);
}

/** A unit that is not running has nothing to reload: it is started. */
async function reloadOrStart(unit: string, systemd: Systemd): Promise<RestartVerb> {
  return (await isActive(unit, systemd)) ? 'reload' : 'restart';
}

async function isActive(unit: string, systemd: Systemd): Promise<boolean> {
  return (await systemd.show(unit, ['ActiveState']))['ActiveState'] === 'active';
}

async function act(
  { unit, socket, doing }: { readonly unit: string; readonly socket: string; readonly doing: RestartVerb },
  systemd: Systemd,
  signal: AbortSignal,
): Promise<CommandEnd> {
  if (socket === '' || doing === 'reload') return systemd.restart(unit, signal, doing);
  if (doing === 'try-restart' && !(await isActive(unit, systemd))) {
    return systemd.restart(socket, signal, doing);
  }
  return stopAndStart(unit, socket, systemd, signal);
}

/** systemd starts no socket whose service runs, and a socket that listens starts the service: both are stopped first. */
async function stopAndStart(
  unit: string,
  socket: string,
  systemd: Systemd,
  signal: AbortSignal,
): Promise<CommandEnd> {
  for (const go of [
    () => systemd.stop(socket, signal),
    () => systemd.stop(unit, signal),
    () => systemd.start(socket, signal),
  ]) {
    const end = await go();
    if (!isOk(end)) return end;
  }
  return systemd.start(unit, signal);
}

/** systemd says no: of the unit that it names, or else of the service, the last lines are shown. */
async function refused(
  said: string,
  units: readonly string[],
  verb: RestartVerb,
  context: StepContext,
): Promise<StepEnd> {
  if (said !== '') await context.log(said.trimEnd());
  const unit = units.find((one) => said.includes(one)) ?? (units.at(-1) as string);
  return unitFailed(unit, verb === 'reload' ? 'could not be reloaded' : 'did not start', context);
}

const PROPERTIES = ['Type', 'ActiveState', 'SubState', 'NRestarts'];

/** One that fails, or is started again by systemd, within a moment has not started. */
async function watch(
  unit: string,
  verb: RestartVerb,
  context: StepContext,
  systemd: Systemd,
): Promise<StepEnd> {
  const first = await systemd.show(unit, PROPERTIES);
  let problem = brokenBy(first, first);
  for (const pauseMs of mayStillFail(first, verb) ? PAUSES_MS : []) {
    if (problem !== null) break;
    await context.sleep(pauseMs, context.signal);
    problem = brokenBy(await systemd.show(unit, PROPERTIES), first);
  }
  if (problem !== null) return unitFailed(unit, problem, context);
  return succeeded({ summary: summaryOf(unit, verb, String(first['ActiveState'])) });
}

function mayStillFail(state: Readonly<Record<string, string>>, verb: RestartVerb): boolean {
  return (
    verb !== 'reload' && state['ActiveState'] === 'active' && !TELLS_WHEN_READY.test(String(state['Type']))
  );
}

function brokenBy(
  now: Readonly<Record<string, string>>,
  first: Readonly<Record<string, string>>,
): string | null {
  if (now['ActiveState'] === 'failed') return 'did not start';
  const again = now['SubState'] === 'auto-restart' || now['NRestarts'] !== first['NRestarts'];
  return again ? 'ended right after its start, and systemd starts it again and again' : null;
}

function summaryOf(unit: string, verb: RestartVerb, state: string): string {
  if (verb === 'reload') return `${unit} was reloaded and is ${state}`;
  if (verb === 'try-restart' && state === 'inactive') return `${unit} was not running, and is left so`;
  return `${unit} is ${state}`;
}
