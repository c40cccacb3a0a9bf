import type { Knex } from 'knex';
import { controllers, registerController, touchController, unregisterController } from './db/controller.js';
import type { Edges } from './deployments/edges.js';
import type { Logger } from './logger.js';

const TOUCH_MS = 10_000;
const SEEN_WITHIN_MS = 60_000;

export interface Registration {
  readonly id: string;
  readonly version: string;
  /** HOST:PORT of its agents' port. */
  readonly advertised: readonly string[];
  readonly after: Edges['after'];
  readonly logger: Logger;
}

/** The other controllers on the same database. */
export interface Colleagues {
  /** HOST:PORT of the agents' ports of all that were seen within a minute, ours left out. */
  addresses(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Makes this controller known to the others, and keeps saying that it lives until closed. */
export async function registerWithOthers(db: Knex, registration: Registration): Promise<Colleagues> {
  const { id, after, logger } = registration;
  await registerController(db, registration);
  const touch = async (): Promise<void> => {
    if (!(await touchController(db, id))) await registerController(db, registration);
  };
  const touchLater = (): (() => void) =>
    after(TOUCH_MS, () => {
      cancel = touchLater();
      touch().catch((error: unknown) =>
        logger.warn({ err: error }, 'controller could not say that it lives'),
      );
    });
  let cancel = touchLater();
  return {
    addresses: async () => {
      const others = (await controllers(db, SEEN_WITHIN_MS)).filter((other) => other.id !== id);
      return others.flatMap(({ advertised }) => advertised);
    },
    close: async () => {
      cancel();
      await unregisterController(db, id);
    },
  };
}
