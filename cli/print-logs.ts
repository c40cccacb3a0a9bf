import { once } from 'node:events';
import type { LogLine, LogsRequest } from '../proto/gen/fraisier/v1/control.js';
import type { Control } from './client.js';
import { withoutControls } from './for-terminal.js';
import { toJson } from './json.js';
import { Patience } from './patience.js';
import { logHeading } from './views/log-lines.js';

export interface LogPrinter {
  readonly control: Control;
  readonly reconnectForMs: number;
  readonly json: boolean;
  readonly out: NodeJS.WriteStream;
  readonly complain: (line: string) => void;
}

/**
 * Prints output as it comes, each byte once, across a controller that goes away for a while. Bytes are passed on as
 * they are; a heading on stderr says where they come from whenever that changes.
 */
export async function printLogs(
  { control, reconnectForMs, json, out, complain }: LogPrinter,
  request: LogsRequest,
): Promise<void> {
  const id = request.deploymentId;
  const unknown = {
    message: `the controller has not answered for ${reconnectForMs / 1000} s: the output of ${id} is incomplete`,
    hint: `fraisier logs ${id}`,
  };
  const patience = new Patience({ control, forMs: reconnectForMs, say: complain, unknown });
  const seen = new Seen();
  const open = (): AsyncIterable<LogLine> => {
    seen.again();
    return control.stream('logs', request, new AbortController().signal);
  };
  let heading = '';
  for await (const chunk of patience.stream(open)) {
    const fresh = seen.fresh(chunk);
    if (fresh === undefined) continue;
    const next = withoutControls(logHeading(fresh));
    if (!json && next !== heading) complain(next);
    heading = next;
    if (!out.write(json ? `${JSON.stringify(toJson(fresh))}\n` : fresh.data)) await once(out, 'drain');
    if (fresh.truncated && !json) complain('── the rest of this output was not kept');
  }
}

/** A stream of logs that is opened again begins from the start: this drops what was printed before. */
class Seen {
  private readonly printed = new Map<string, number>();
  private toSkip = new Map<string, number>();

  again(): void {
    this.toSkip = new Map(this.printed);
  }

  /** The part of a chunk that was not printed before; undefined when there is none. */
  fresh(chunk: LogLine): LogLine | undefined {
    const key = JSON.stringify([chunk.host, chunk.phase, chunk.step, chunk.attempt]);
    // The mark that output was cut off counts like a byte, so that it is not repeated either.
    const size = chunk.data.length + (chunk.truncated ? 1 : 0);
    const left = this.toSkip.get(key) ?? 0;
    const skipped = Math.min(left, size);
    this.toSkip.set(key, left - skipped);
    if (skipped > 0 && skipped === size) return undefined;
    this.printed.set(key, (this.printed.get(key) ?? 0) + size - skipped);
    return { ...chunk, data: chunk.data.subarray(skipped), offset: chunk.offset + skipped };
  }
}
