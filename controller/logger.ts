import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

const SECRETS = ['token', 'secret', 'password', 'authorization', 'privateKey', 'databaseUrl', 'csrPem'];

/** One JSON object a line on stderr (or `destination`); fields with a secret's name are cut out, one level deep too. */
export function createLogger(level: string, destination: DestinationStream = process.stderr): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: paths }, destination);
}
