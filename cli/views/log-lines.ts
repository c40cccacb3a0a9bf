import type { LogLine } from '../../proto/gen/fraisier/v1/control.js';

/** Where output comes from: the heading above it when it is printed for people. */
export function logHeading({ host, phase, step, attempt }: LogLine): string {
  return `── ${host} ${phase} ${step}${attempt > 1 ? ` (attempt ${attempt})` : ''}`;
}
