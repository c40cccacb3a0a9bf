import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withFleet, type BenchFleet } from './bench-fleet.js';
import { figure, median, type Figure } from './figures.js';

const LINES = 50_000;
const ROUNDS = 3;
const FOLLOW_MS = 60_000;
const READY = 'ready to say much';
const MARK = 'of a build that says much';

/** Says that it is ready, waits for the file `go` in the folder above the app's, and prints. */
const CHATTY = `echo '${READY}'; while [ ! -e "$1/go-$(basename "$PWD")" ]; do sleep 0.01; done
exec seq -f 'line %.0f ${MARK}' ${LINES}`;

/**
 * Lines a second from a command on a host, through journal, stream and PostgreSQL, to `fraisier logs --follow`: from the
 * moment the command is let go until the command line has printed the last line. It reads what is stored, nothing else.
 */
export async function logLines(): Promise<readonly Figure[]> {
  // The command learns where to look as `$1`; the folder is known when the cluster is.
  return withFleet(
    1,
    (folder) => ({ chatty: ['sh', '-c', CHATTY, 'sh', folder] }),
    async (fleet) => {
      const rates: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) rates.push(await followOnce(fleet, round));
      return [figure(`log lines, stored and followed by \`fraisier logs\``, median(rates), '1/s')];
    },
  );
}

async function followOnce({ cluster, service }: BenchFleet, round: number): Promise<number> {
  const commit = await service('chatty').commit(`Say much, ${round}`);
  const ask = ['deploy', 'chatty', 'production', '--commit', commit, '--no-wait'];
  const { id } = await cluster.json<{ id: string }>(ask);
  let begun = Number.NaN;
  let said = '';
  const onOutput = (text: string): void => {
    if (!Number.isNaN(begun)) return;
    said += text;
    if (!said.includes(READY)) return;
    begun = performance.now();
    void writeFile(join(cluster.folder, `go-${commit}`), '');
  };
  let lastAt = Number.NaN;
  const output = await cluster.must(['logs', id, '--follow'], {
    timeoutMs: FOLLOW_MS,
    onOutput: (text) => {
      onOutput(text);
      if (text.includes(MARK)) lastAt = performance.now();
    },
  });
  const lines = output.split('\n').filter((line) => line.includes(MARK)).length;
  if (lines !== LINES) throw new Error(`${LINES} lines were printed, ${lines} arrived`);
  return lines / ((lastAt - begun) / 1000);
}
