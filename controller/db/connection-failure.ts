import { FraisierError } from '../../proto/error-codes.js';

/** What the network and the driver say when there is no (longer a) server. */
const LOST = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EACCES',
]);

/**
 * SQLSTATEs (or classes) under which nothing was done and the same may work later or elsewhere: connection exceptions,
 * refused log-in, no such database, out of resources, shutting down, standby, and what timeouts and deadlocks end.
 */
const UNAVAILABLE = ['08', '28', '3D', '53', '57', '25006', '25P03', '40001', '40P01', '55P03'];

/** What has no code; knex puts the statement before it. */
const SENTENCE = new RegExp(
  [
    'Connection terminated',
    'Client has encountered a connection error',
    'Client was closed',
    'Timeout acquiring a connection',
    'timeout expired',
    'Unable to acquire a connection',
  ].join('|'),
);

/** Whether the database could not be asked, or gave up, as opposed to having answered. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof FraisierError) return error.reason.code === 'database_away';
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway);
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return SENTENCE.test(error.message);
  return LOST.has(code) || (code.length === 5 && UNAVAILABLE.some((start) => code.startsWith(start)));
}

/** Awaits `work`; a database that is away becomes a `FraisierError('database_away')`, all else passes unchanged. */
export async function orDatabaseAway<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FraisierError || !isDatabaseAway(error)) throw error;
    throw databaseAway(error as Error);
  }
}

function databaseAway(cause: Error): FraisierError {
  return new FraisierError('database_away', `the database is away: ${sentenceOf(cause)}`, {
    hint: 'see that PostgreSQL runs and that DATABASE_URL names it; nothing was lost, ask again',
    cause,
  });
}

/** An AggregateError (a name with several addresses) has no message of its own; knex puts the SQL before the cause. */
function sentenceOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((one) => sentenceOf(one as Error)).join('; ');
  return error.message.slice(error.message.lastIndexOf(' - ') + 1).replace(/^- /, '');
}
