import { formatEnvironmentFile } from './environment-file.js';
import { surroundingsOf } from './environment.js';
import type { Surroundings } from './environment.js';
import type { Exec, ExecEnd, ExecSpec } from './exec.js';
import { marksOf, recordedEnd, recordEnd, removeMarks, signalName, writeMark } from './marks.js';
import { OUTPUT_CAP_BYTES } from './output-cap.js';
import { findProgram } from './program.js';
import { runProgram } from './run-program.js';
import { unlessAlive } from './still-alive.js';
import type { Answer } from './still-alive.js';
import { parseProperties } from './systemd.js';
import { unitNameOf } from './unit-name.js';
import { untilEnded } from './until-ended.js';
import type { Looked } from './until-ended.js';

export interface TransientUnitSettings {
  readonly systemdRun?: string;
  readonly systemctl?: string;
  readonly capBytes?: number;
}

type Programs = Required<Pick<TransientUnitSettings, 'systemdRun' | 'systemctl'>>;

/** systemd is asked, not the unit: it answers at once unless it is in trouble itself. */
const ASK_LIMIT_MS = 30_000;
/** It may be out of reach for a while (it starts itself anew, the host is overloaded) with the command none the worse. */
const OUT_OF_REACH_MS = 60_000;

/** As `fraisier agent install` calls it. */
const AGENT_UNIT = 'fraisier-agent.service';

const PROPERTIES = [
  'LoadState',
  'ActiveState',
  'SubState',
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
  'ActiveEnterTimestampMonotonic',
  'MainPID',
];

/** How commands ended that this process has looked at and not forgotten: that does not change, and need not be asked again. */
type KnownEnds = Map<string, { readonly end: ExecEnd; readonly failed: boolean }>;

interface Ports {
  readonly programs: Programs;
  readonly ends: KnownEnds;
}

/**
 * Commands as transient systemd units, each in its own cgroup, `RemainAfterExit=yes` so that systemd keeps the result for
 * whichever agent asks. A reboot of the host takes unit and result away (`absent`). Needs root and systemd as process 1.
 */
export function transientUnitExec(settings: TransientUnitSettings = {}): Exec {
  const capBytes = settings.capBytes ?? OUTPUT_CAP_BYTES;
  const programs: Programs = {
    systemdRun: settings.systemdRun ?? 'systemd-run',
    systemctl: settings.systemctl ?? 'systemctl',
  };
  const ports: Ports = { programs, ends: new Map() };
  return {
    kind: 'transient_unit',
    start: (spec) => start(spec, ports),
    wait: (spec, signal) =>
      untilEnded(spec, signal, patient(unlessAlive(() => ask(spec, ports))), {
        ...{ firstMs: 20, mostMs: 200, capBytes },
      }),
    look: (spec) => look(spec, ports),
    stop: (spec) => stop(spec, ports),
    forget: (spec) => forget(spec, ports),
  };
}

async function start(spec: ExecSpec, ports: Ports): Promise<void> {
  const surroundings = await surroundingsOf(spec);
  if (!surroundings.usable) return recordEnd(spec, { ended: 'not_found', message: surroundings.message });
  const program = await findProgram(spec.argv[0] ?? '', spec.cwd, surroundings.environment['PATH'] ?? '');
  if (!program.found) return recordEnd(spec, { ended: 'not_found', message: program.message });
  await writeMark(marksOf(spec).environment, formatEnvironmentFile(spec.environment));
  const argv = [
    ports.programs.systemdRun,
    ...unitArguments(spec, surroundings),
    '--',
    ...unitCommand(program.path, spec),
  ];
  const run = await runProgram(argv, { timeoutMs: ASK_LIMIT_MS });
  if (run.exitCode === 0) return;
  // Type=exec: the call fails when the program could not be executed, and also if the unit is there already.
  const looked = await look(spec, ports);
  if (looked.ended === 'absent') {
    // Asked and not answered: systemd may start it yet, so that it never started cannot be said.
    if (run.brokenOff) throw new Error(`systemd did not answer whether it started it: ${run.problem}`);
    await recordEnd(spec, {
      ended: 'not_found',
      message: `systemd did not start it: ${run.stderr.trim() || run.problem}`,
    });
  }
}

/**
 * Values of the environment stay in files (the host's own, and one of mode 0600; the later wins): arguments and
 * properties can be read by everybody. Only what every command gets (PATH, HOME …) is said openly.
 */
function unitArguments(
  spec: ExecSpec,
  surroundings: Extract<Surroundings, { usable: true }>,
): readonly string[] {
  const output = `append:${spec.outputFile}`;
  const properties = {
    Type: 'exec',
    RemainAfterExit: 'yes',
    Description: `fraisier ${spec.id}`,
    WorkingDirectory: spec.cwd,
    StandardInput: 'null',
    StandardOutput: spec.captureFile === null ? output : `append:${spec.captureFile}`,
    StandardError: output,
    TimeoutStopSec: `${spec.graceMs}ms`,
    // So that the agent is stopped first when the host goes down, and does not take that for the command's own end.
    Before: AGENT_UNIT,
    ...(surroundings.asOther ? { User: surroundings.user.name } : {}),
  };
  return [
    `--unit=${unitNameOf(spec.id)}`,
    '--quiet',
    '--no-ask-password',
    ...Object.entries(surroundings.minimal).map(([name, value]) => `--setenv=${name}=${value}`),
    ...Object.entries(properties).map(([name, value]) => `--property=${name}=${value}`),
    ...environmentFiles(spec).map((file) => `--property=EnvironmentFile=${file}`),
  ];
}

function environmentFiles(spec: ExecSpec): readonly string[] {
  const own = marksOf(spec).environment;
  return spec.environmentFile === null ? [own] : [spec.environmentFile, own];
}

/** systemd expands `$NAME` in arguments when it starts the program, and `$$` to one `$`. */
function unitCommand(program: string, spec: ExecSpec): readonly string[] {
  return [program, ...spec.argv.slice(1).map((word) => word.replaceAll('$', '$$$$'))];
}

async function look(spec: ExecSpec, ports: Ports): Promise<Looked> {
  return (await ask(spec, ports)).looked;
}

async function ask(spec: ExecSpec, { programs, ends }: Ports): Promise<Answer> {
  const end = ends.get(spec.id)?.end ?? (await recordedEnd(spec));
  if (end !== null) return { looked: end, mainPid: 0 };
  const argv = [programs.systemctl, 'show', `--property=${PROPERTIES.join(',')}`, '--', unitNameOf(spec.id)];
  const answer = await runProgram(argv, { timeoutMs: ASK_LIMIT_MS });
  if (answer.exitCode !== 0) throw new Error(`systemctl show: ${answer.stderr.trim() || answer.problem}`);
  const properties = parseProperties(answer.stdout);
  const looked = endOfUnit(properties);
  if (looked.ended !== 'running' && looked.ended !== 'absent')
    ends.set(spec.id, { end: looked, failed: properties['ActiveState'] === 'failed' });
  return { looked, mainPid: Number(properties['MainPID']) };
}

/** A look at a command that was started, to which it still runs while systemd is out of reach, within bounds. */
function patient(lookNow: () => Promise<Looked>): () => Promise<Looked> {
  let heardAt = performance.now();
  return async () => {
    try {
      const looked = await lookNow();
      heardAt = performance.now();
      return looked;
    } catch (error) {
      if (performance.now() - heardAt > OUT_OF_REACH_MS) throw error;
      return { ended: 'running' };
    }
  };
}

/** What systemd exits with in place of a program that it could not execute (systemd.exec(5), 200 to 243). */
const SYSTEMD_STATUS = { from: 200, to: 243 };

/**
 * What the properties of a unit say. A clean death by SIGTERM counts as success for systemd, so its code is read and not
 * its state. A unit that never became active either could not be executed or failed faster than systemd looked: the
 * status tells, but for a program that does so with one of systemd's own.
 */
export function endOfUnit(properties: Readonly<Record<string, string>>): Looked {
  if (properties['LoadState'] !== 'loaded') return { ended: 'absent' };
  const over = properties['ActiveState'] === 'failed' || properties['SubState'] === 'exited';
  if (!over) return properties['ActiveState'] === 'inactive' ? { ended: 'absent' } : { ended: 'running' };
  const status = Number(properties['ExecMainStatus']);
  const exited = properties['ExecMainCode'] === '1';
  const systemds = exited && status >= SYSTEMD_STATUS.from && status <= SYSTEMD_STATUS.to;
  if (
    properties['ActiveEnterTimestampMonotonic'] === '0' &&
    (systemds || properties['ExecMainCode'] === '0')
  ) {
    return {
      ended: 'not_found',
      message: `systemd did not start it: ${properties['Result']}, status ${status}`,
    };
  }
  if (exited) return { ended: 'exited', exitCode: status };
  return { ended: 'signalled', signal: signalName(status) ?? `signal ${status}` };
}

async function stop(spec: ExecSpec, ports: Ports): Promise<void> {
  if ((await look(spec, ports)).ended !== 'running') return;
  await systemctl(['stop', unitNameOf(spec.id)], spec, ports.programs);
  // A unit that ended well on SIGTERM is collected at once; one that had to be killed stays and tells so itself.
  if ((await look(spec, ports)).ended === 'absent') {
    await recordEnd(spec, { ended: 'signalled', signal: 'SIGTERM' });
  }
}

/**
 * One that failed has nothing left to stop. One that ended well is collected when it is stopped, unless something of it
 * had to be killed for that, which takes as long as the grace.
 */
async function forget(spec: ExecSpec, { programs, ends }: Ports): Promise<void> {
  const failed = ends.get(spec.id)?.failed;
  const begun = performance.now();
  if (failed !== true) await systemctl(['stop', unitNameOf(spec.id)], spec, programs);
  const stopped = failed === false && performance.now() - begun < spec.graceMs;
  if (!stopped) await systemctl(['reset-failed', unitNameOf(spec.id)], spec, programs);
  ends.delete(spec.id);
  await removeMarks(spec);
}

/** A unit that is not there any more is as good as done. systemd itself takes grace twice before it gives up on a unit. */
async function systemctl(argv: readonly string[], spec: ExecSpec, programs: Programs): Promise<void> {
  await runProgram([programs.systemctl, ...argv], { timeoutMs: ASK_LIMIT_MS + 3 * spec.graceMs });
}
