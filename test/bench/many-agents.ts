import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { agentWithoutCommands } from './agent-without-commands.js';

/** What the bench hands over in a file: its name is the only argument. */
export interface ManyAgents {
  /** `HOST:PORT` where they enrol. */
  readonly controller: string;
  readonly folder: string;
  readonly agents: readonly { readonly name: string; readonly token: string }[];
}

/** Many agents in one process, until SIGTERM. */
async function main(file: string): Promise<void> {
  const { controller, folder, agents } = JSON.parse(await readFile(file, 'utf8')) as ManyAgents;
  const leave = new AbortController();
  process.once('SIGTERM', () => leave.abort());
  const all = agents.map(async ({ name, token }) => {
    const own = join(folder, name);
    await mkdir(own, { recursive: true });
    await agentWithoutCommands(own, { controllers: [controller], token }, leave.signal);
  });
  await Promise.all(all);
}

await main(process.argv[2] ?? '');
