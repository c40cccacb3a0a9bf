import type { Restart } from '../../proto/gen/fraisier/v1/plan.js';
import { argvOf } from './command-line.js';
import { nameOf } from './command.js';
import { endOfCommand, failed, succeeded } from './ends.js';
import { releaseCommand } from './release-command.js';
import { restartUnit } from './restart-unit.js';
import type { RunStep } from './step.js';

/** Restarts the unit, or runs the command that stands for it. */
export const restart: RunStep<Restart> = async ({ how, mode, systemdSocket }, context) => {
  switch (how?.$case) {
    case 'systemdService':
      return restartUnit({ service: how.value, socket: systemdSocket, mode }, context);
    case 'command': {
      const argv = argvOf(how.value);
      const end = await context.command(releaseCommand(argv, how.value, context));
      if (end.ended === 'exited' && end.exitCode === 0) return succeeded({ exitCode: 0 });
      return endOfCommand(end, nameOf(argv), 'restart_failed');
    }
    case undefined:
      return failed('restart_failed', 'the plan does not say how to restart');
  }
};

export { logJournal, noSystemd } from './unit-failure.js';
