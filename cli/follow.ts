import { FraisierError } from '../proto/error-codes.js';
import type { Deployment, WatchEvent } from '../proto/gen/fraisier/v1/control.js';
import type { Control } from './client.js';
import { Patience } from './patience.js';
import type { Screen } from './screens.js';

export interface Follower {
  readonly control: Control;
  readonly screen: Screen;
  /** How long a controller that went away is waited for. */
  readonly reconnectForMs: number;
  readonly signal: AbortSignal;
}

const GOING_ON: ReadonlySet<string> = new Set(['queued', 'running', 'rolling_back']);

/**
 * Shows a deployment from its first event until it has ended or is paused, across a controller that goes away for
 * a while, and answers how it stands then. Throws `outcome_unknown` when the controller stays away for too long.
 */
export async function follow(
  { control, screen, reconnectForMs, signal }: Follower,
  id: string,
): Promise<Deployment> {
  const unknown = {
    message: `the controller has not answered for ${reconnectForMs / 1000} s: how ${id} goes on is not known here`,
    hint: `fraisier watch ${id}`,
  };
  const patience = new Patience({ control, forMs: reconnectForMs, say: (line) => screen.say(line), unknown });
  const whole = new Whole(control, id, signal);
  try {
    for await (const event of patience.stream(() => whole.rest())) screen.show(event);
  } finally {
    screen.close();
  }
  return patience.until(() => control.ask('getDeployment', { id }));
}

/** The events of a deployment, each once, however often the stream is opened. */
class Whole {
  private readonly control: Control;
  private readonly id: string;
  private readonly signal: AbortSignal;
  private after = 0;
  private lastSaid = '';

  constructor(control: Control, id: string, signal: AbortSignal) {
    this.control = control;
    this.id = id;
    this.signal = signal;
  }

  /** What comes after the last event seen, until the deployment stands still. Throws when the stream ends before. */
  async *rest(): AsyncGenerator<WatchEvent> {
    const request = { deploymentId: this.id, after: this.after };
    for await (const event of this.control.stream('watch', request, this.signal)) {
      if (!this.isNews(event)) continue;
      yield event;
      // A replayed event tells of a pause that may be over.
      if (isPause(event) && (await this.standsStill())) return;
    }
    if (await this.standsStill()) return;
    throw new FraisierError('controller_away', `the controller at ${this.control.address} ended the stream`);
  }

  private isNews({ number, event }: WatchEvent): boolean {
    if (event?.$case === 'deployment') return this.isOtherThanLast(event.value);
    if (number <= this.after) return false;
    this.after = number;
    return true;
  }

  // The first message of a stream repeats how the deployment stands.
  private isOtherThanLast({ status, reason }: Deployment): boolean {
    const said = JSON.stringify([status, reason]);
    if (said === this.lastSaid) return false;
    this.lastSaid = said;
    return true;
  }

  private async standsStill(): Promise<boolean> {
    const { status } = await this.control.ask('getDeployment', { id: this.id });
    return !GOING_ON.has(status);
  }
}

function isPause({ event }: WatchEvent): boolean {
  return event?.$case === 'deployment' && event.value.status === 'paused';
}
