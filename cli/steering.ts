import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../proto/gen/fraisier/v1/control.js';
import type { Control } from './client.js';
import { ClientCommand, type GlobalFlags } from './command.js';
import { readEnvironment } from './config.js';
import { EXIT, exitCodeOfDeployment, type Asked } from './exit-codes.js';
import type { Outputs, Screen } from './screens.js';
import { deploymentQueued, deploymentSummary } from './views/deployment.js';

const GRACE_MS = 300;

/** A command that starts or steers a deployment and then watches it to its end. Ctrl-C detaches, it cancels nothing. */
export abstract class SteeringCommand extends ClientCommand {
  /** Steers, then follows what was steered. `doubt` is what to say when Ctrl-C comes before the answer. */
  protected steer(
    flags: GlobalFlags & { readonly 'no-wait': boolean },
    asked: Asked,
    doubt: string,
    act: (control: Control) => Promise<Deployment>,
  ): Promise<number> {
    return this.connected(flags, (control) =>
      this.detachable(doubt, async (signal, beginFollowing) => {
        const deployment = await act(control);
        if (flags['no-wait']) return this.leave(flags, deployment);
        beginFollowing(deployment.id);
        if (flags.json)
          this.complain(`${deployment.id} goes on without this command: fraisier watch ${deployment.id}`);
        const end = await this.follow(flags, control, deployment.id, signal, flags.json ? 'dark' : 'shown');
        this.print(flags, end, { text: deploymentSummary });
        return exitCodeOfDeployment(end, asked);
      }),
    );
  }

  /** Follows to the end on the screen that fits, and answers how the deployment stands then. */
  protected async follow(
    flags: GlobalFlags,
    control: Control,
    id: string,
    signal: AbortSignal,
    how: 'dark' | 'shown',
  ): Promise<Deployment> {
    const { follow } = await import('./follow.js');
    const { reconnectForMs } = readEnvironment();
    return follow({ control, screen: await this.screen(flags, how), reconnectForMs, signal }, id);
  }

  /** Ctrl-C ends the watching with 130 and says how to watch again. */
  protected async detachable(
    doubt: string,
    act: (signal: AbortSignal, beginFollowing: (id: string) => void) => Promise<number>,
  ): Promise<number> {
    const detach = new AbortController();
    let farewell = doubt;
    const pressed = new Promise<number>((resolve) => {
      process.once('SIGINT', () => {
        detach.abort();
        void sleep(GRACE_MS).then(() => resolve(EXIT.interrupted));
      });
    });
    const acting = act(detach.signal, (id) => {
      farewell = `detached; the deployment goes on\nnext: fraisier watch ${id}`;
    }).catch((error: unknown) => {
      if (detach.signal.aborted) return EXIT.interrupted;
      throw error;
    });
    const code = await Promise.race([acting, pressed]);
    if (code === EXIT.interrupted) this.complain(farewell);
    return code;
  }

  private leave(flags: GlobalFlags, deployment: Deployment): number {
    this.print(flags, deployment, { text: deploymentQueued });
    return EXIT.done;
  }

  private async screen(flags: GlobalFlags, how: 'dark' | 'shown'): Promise<Screen> {
    const { darkScreen, jsonScreen, LiveScreen, plainScreen } = await import('./screens.js');
    const outputs: Outputs = {
      out: process.stdout,
      complain: (line) => this.complain(line),
      look: () => this.look(flags),
    };
    if (how === 'dark') return darkScreen(outputs);
    if (flags.json) return jsonScreen(outputs);
    const redraws = process.stdout.isTTY && !readEnvironment().dumbTerminal;
    return redraws ? new LiveScreen(outputs) : plainScreen(outputs);
  }
}
