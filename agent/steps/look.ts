import type { Command, Health, HealthProbe, Target } from '../../proto/gen/fraisier/v1/plan.js';
import { argvOf } from './command-line.js';
import { healthy, misconfigured } from './judge-health.js';
import type { Verdict } from './judge-health.js';
import { judgeCommand } from './probe-command.js';
import { probeHttp } from './probe-http.js';
import { probeTcp } from './probe-tcp.js';
import { probeTimers, probeUnit } from './probe-units.js';
import { within } from './probe-within.js';
import { releaseCommand } from './release-command.js';
import type { CommandEnd, StepContext, Systemd } from './step.js';

/** What a look at the health of a fraise may touch. */
export interface LookPorts {
  readonly target: Target;
  readonly systemd: Systemd | null;
  readonly signal: AbortSignal;
  /** Null: commands are not run, only said to be `not asked`. */
  readonly command: ((spec: Command, limitMs: number) => Promise<CommandEnd>) | null;
}

/** What one look at every probe found: `answer`, `code`, `servedVersion` and `mend` of all together. */
export interface Look extends Verdict {
  /** Whether anything was asked at all. */
  readonly asked: boolean;
  /** Names of the probes that were not healthy. */
  readonly failing: readonly string[];
  /** One line for each probe, in the order of the plan. */
  readonly answers: readonly { readonly name: string; readonly answer: string }[];
}

/** What one probe said; null: it was not asked. */
interface Asked {
  readonly name: string;
  readonly verdict: Verdict | null;
}

/** As many probes are asked at the same moment; commands take turns. */
const LANES = 8;

/** The ports of a running step, whose commands run in the release that the probe names. */
export function lookPortsOf(context: StepContext): LookPorts {
  const { target, systemd, signal } = context;
  const command = (spec: Command, limitMs: number): Promise<CommandEnd> =>
    context.command({
      ...releaseCommand(argvOf(spec), spec, context, { environment: spec.environment }),
      limitMs,
    });
  return { target, systemd, signal, command };
}

/** Asks every probe once, each for its own time limit and at most `mostMs`. Throws only when the signal aborts. */
export async function lookOnceAt(health: Health, ports: LookPorts, mostMs = Infinity): Promise<Look> {
  const { probes } = health;
  const verdicts = new Map<HealthProbe, Verdict | null>();
  const follow = async (lane: readonly HealthProbe[]): Promise<void> => {
    for (const probe of lane) verdicts.set(probe, await ask(probe, ports, Math.min(probe.timeoutMs, mostMs)));
  };
  await Promise.all(lanesOf(probes).map(follow));
  return together(probes.map((probe) => ({ name: probe.name, verdict: verdicts.get(probe) ?? null })));
}

/** The same, whatever version is served: for a question about what is there. */
export function anyVersion(health: Health): Health {
  const probes = health.probes.map((probe) =>
    probe.look?.$case === 'http'
      ? { ...probe, look: { ...probe.look, value: { ...probe.look.value, expectVersion: '' } } }
      : probe,
  );
  return { ...health, probes };
}

function lanesOf(probes: readonly HealthProbe[]): readonly (readonly HealthProbe[])[] {
  const commands = probes.filter(({ look }) => look?.$case === 'command');
  const others = probes.filter(({ look }) => look?.$case !== 'command');
  const dealt = Array.from({ length: LANES }, (_, lane) => others.filter((__, at) => at % LANES === lane));
  return [commands, ...dealt];
}

async function ask({ look }: HealthProbe, ports: LookPorts, limitMs: number): Promise<Verdict | null> {
  const { target, systemd, signal } = ports;
  switch (look?.$case) {
    case 'http':
      return within((stop) => probeHttp(look.value, target.environmentFile, stop), limitMs, signal);
    case 'tcp':
      return within((stop) => probeTcp(look.value, stop), limitMs, signal);
    case 'unit':
      return within(() => probeUnit(look.value.unit, systemd), limitMs, signal);
    case 'timers':
      return within(() => probeTimers(target.jobs, systemd), limitMs, signal);
    case 'command':
      return ports.command === null ? null : judgeEnd(await ports.command(look.value, limitMs), signal);
    case undefined:
      return misconfigured('this agent does not know how to ask it', 'upgrade the agent');
  }
}

function judgeEnd(end: CommandEnd, signal: AbortSignal): Verdict {
  signal.throwIfAborted();
  return judgeCommand(end);
}

/** Healthy when every probe that was asked is; the worst of them gives the reason. */
function together(all: readonly Asked[]): Look {
  if (all.length === 0) return { ...NOTHING_TO_ASK, asked: false, failing: [], answers: [] };
  const verdicts = all.flatMap(({ verdict }) => verdict ?? []);
  const answers = all.map(({ name, verdict }) => ({ name, answer: verdict?.answer ?? 'not asked' }));
  const lines = answers.map(({ name, answer }) => (answers.length === 1 ? answer : `${name}: ${answer}`));
  return {
    ...(worstOf(verdicts) ?? healthy('')),
    answer: lines.join('; '),
    servedVersion: verdicts.find(({ servedVersion }) => servedVersion !== '')?.servedVersion ?? '',
    asked: verdicts.length > 0,
    failing: all.filter(({ verdict }) => verdict?.healthy === false).map(({ name }) => name),
    answers,
  };
}

/** What cannot be waited for comes first. */
function worstOf(verdicts: readonly Verdict[]): Verdict | undefined {
  const bad = verdicts.filter((verdict) => !verdict.healthy);
  return bad.find(({ mend }) => mend !== '') ?? bad.find(({ code }) => code === 'wrong_version') ?? bad[0];
}

const NOTHING_TO_ASK = misconfigured(
  'there is nothing to ask',
  'give health_check a url, tcp, command or systemd',
);
