import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

/** Where a running controller can be found; the ports are those that were taken. */
export interface StateFile {
  readonly pid: number;
  readonly http: string;
  readonly grpc: string;
  readonly agents: string;
  readonly socket: string;
}

/** Writes it whole or not at all; readers never see half of it. */
export async function writeStateFile(path: string, state: StateFile): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(state)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path).catch(async (error: unknown) => {
    await rm(temporary, { force: true });
    throw error;
  });
}
