import type { WatchEvent } from '../proto/gen/fraisier/v1/control.js';
import { forTerminal } from './for-terminal.js';
import { watchEventJson } from './json.js';
import type { Look } from './look.js';
import { eventLine } from './views/event-line.js';
import { NO_PROGRESS, withEvent, type Progress } from './views/progress.js';
import { treeFrame } from './views/tree.js';

/** Where the events of a deployment are shown while it goes on. */
export interface Screen {
  show(event: WatchEvent): void;
  /** Something about the connection, for people: goes to stderr. */
  say(line: string): void;
  /** Leaves the terminal as it should stay. */
  close(): void;
}

export interface Outputs {
  readonly out: Pick<NodeJS.WriteStream, 'write' | 'rows'>;
  readonly complain: (line: string) => void;
  /** Asked for every frame, since time and terminal change. */
  readonly look: () => Look;
}

const FRAME_MS = 250;
const USUAL_ROWS = 24;

/** Shows nothing: the caller prints the end. */
export function darkScreen({ complain }: Outputs): Screen {
  return { show: () => undefined, say: complain, close: () => undefined };
}

/** One plain line an event. */
export function plainScreen({ out, complain, look }: Outputs): Screen {
  return {
    show: (event) => void out.write(`${eventLine(forTerminal(event), look())}\n`),
    say: complain,
    close: () => undefined,
  };
}

/** One JSON object a line. */
export function jsonScreen({ out, complain }: Outputs): Screen {
  const show = (event: WatchEvent): void => void out.write(`${JSON.stringify(watchEventJson(event))}\n`);
  return { show, say: complain, close: () => undefined };
}

/** A tree that is drawn over itself four times a second, so that durations run. */
export class LiveScreen implements Screen {
  private readonly outputs: Outputs;
  private readonly timer: NodeJS.Timeout;
  private progress: Progress = NO_PROGRESS;
  private drawn = 0;

  constructor(outputs: Outputs) {
    this.outputs = outputs;
    this.timer = setInterval(() => this.draw(outputs.out.rows || USUAL_ROWS), FRAME_MS);
  }

  show(event: WatchEvent): void {
    this.progress = withEvent(this.progress, forTerminal(event));
  }

  /** The line stays where it is, below the tree, and the tree begins anew below it. */
  say(line: string): void {
    this.outputs.complain(line);
    this.drawn = 0;
  }

  /** The last frame is drawn whole, however tall it is. */
  close(): void {
    clearInterval(this.timer);
    this.draw(Number.POSITIVE_INFINITY);
  }

  private draw(rows: number): void {
    const frame = treeFrame(this.progress, this.outputs.look(), rows);
    const back = this.drawn === 0 ? '' : `\u001b[${this.drawn}A\u001b[J`;
    this.outputs.out.write(`${back}${frame.join('\n')}\n`);
    this.drawn = frame.length;
  }
}
