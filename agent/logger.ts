import { pino, type DestinationStream, type Logger } from 'pino';

const SECRETS = ['token', 'secret', 'password', 'authorization', 'keyPem', 'csrPem', 'environment'];

/** One JSON object a line on stderr (or `destination`); fields with a secret's name are cut out, one level deep too. */
export function createLogger(level: string, destination: DestinationStream = process.stderr): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`]);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: paths }, destination);
}
