import type { RequestHandler } from 'express';
import type { Ledger } from '../deployments/ledger.js';
import { AWAY } from './errors.js';

/** `{"status":"healthy"}` once the database has answered a query; otherwise 503 and why; `patienceMs` is how long it may take. */
export function health(ledger: Pick<Ledger, 'now'>, patienceMs: number): RequestHandler {
  return async (_request, response) => {
    const problem = await problemOf(ledger, patienceMs);
    if (problem === null) response.json({ status: 'healthy' });
    else
      response
        .status(503)
        .set('Retry-After', String(AWAY.retryAfter))
        .json({ status: 'unhealthy', reason: problem });
  };
}

/** Says nothing of what the error says: it may name hosts and users. */
async function problemOf(ledger: Pick<Ledger, 'now'>, patienceMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, patienceMs, `the database did not answer within ${patienceMs} ms`);
  });
  const asked = ledger.now().then(
    () => null,
    () => 'the database does not answer',
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
