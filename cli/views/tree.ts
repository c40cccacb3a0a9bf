import type { Look } from '../look.js';
import { subject } from './deployment.js';
import type { HostProgress, PhaseProgress, Progress, StepProgress } from './progress.js';
import { mark, span, status } from './words.js';

/** One frame of the live view, as lines that fit the terminal: hosts, their phases, the steps of the last one. */
export function treeFrame({ deployment, hosts }: Progress, look: Look, rows: number): readonly string[] {
  if (deployment === undefined) return ['waiting for the first event …'];
  const running = deployment.startedAt === undefined ? '' : `  ${sinceStart(deployment.startedAt, look)}`;
  const head = `${subject(deployment)}  ${status(deployment.status, look)}${running}`;
  const why = deployment.reason === undefined ? [] : [`  ${deployment.reason.message}`];
  const frame = [head, ...why, ...hosts.flatMap((host) => hostLines(host, look))];
  return fitting(frame, rows).map((line) => clipped(line, look.columns));
}

function hostLines({ host, phases }: HostProgress, look: Look): string[] {
  const last = phases.at(-1);
  const phaseWords = phases.map((phase) => phaseWord(phase, look)).join('  ');
  const steps =
    last === undefined || last.status === 'succeeded' ? [] : last.steps.map((step) => stepLine(step, look));
  const why = last === undefined || last.why === '' ? [] : [`      ${last.why}`];
  return [`  ${look.ink.bold(host)}  ${phaseWords}`, ...steps, ...why];
}

function phaseWord(phase: PhaseProgress, look: Look): string {
  const { startedAt, finishedAt } = phase;
  const took =
    startedAt === undefined
      ? ''
      : ` ${look.ink.dim(span(Math.max(0, until(finishedAt, look) - startedAt.getTime())))}`;
  return `${mark(phase.status, look)} ${phase.phase}${took}`;
}

function stepLine(step: StepProgress, look: Look): string {
  const ms =
    step.durationMs ?? (step.startedAt === undefined ? 0 : until(undefined, look) - step.startedAt.getTime());
  const note = step.note === '' ? '' : `  ${step.note}`;
  return `    ${mark(step.status, look)} ${step.name}  ${look.ink.dim(span(Math.max(0, ms)))}${note}`;
}

function sinceStart(startedAt: Date, look: Look): string {
  return look.ink.dim(span(Math.max(0, until(undefined, look) - startedAt.getTime())));
}

function until(finishedAt: Date | undefined, { now }: Look): number {
  return (finishedAt ?? now).getTime();
}

/** A frame taller than the terminal cannot be redrawn in place: its end says how much is missing. */
function fitting(frame: readonly string[], rows: number): readonly string[] {
  const room = Math.max(2, rows - 1);
  if (frame.length <= room) return frame;
  return [...frame.slice(0, room - 1), `  … and ${frame.length - room + 1} more lines`];
}

/** Colours are escape sequences, and take no room. */
const INK = new RegExp(`(${String.fromCodePoint(27)}\\[[\\d;]*m)`);

/** Cut to the width of the terminal, colours not counted; a cut line ends its colours. */
function clipped(line: string, columns: number): string {
  let room = columns;
  let text = '';
  for (const part of line.split(INK)) {
    if (INK.test(part)) text += part;
    else {
      const characters = Array.from(part);
      text += characters.slice(0, room).join('');
      room = Math.max(0, room - characters.length);
    }
  }
  return text;
}
