import { z } from 'zod';
import * as word from './schema-words.js';

const BACKOFF = 'must be a number from 1 to 10';

const status = word.wholeNumber(100, 599);

const expectation = word.map({
  status: z
    .union([status, z.array(status).min(1)], { error: 'must be a status from 100 to 599, or a list of them' })
    .optional()
    .describe('One, or a list of them; default 200'),
  version_field: word
    .text(/^\S+$/, 'the name of a field')
    .optional()
    .describe('A field of the JSON answer that must hold the deployed commit'),
  json: z
    .record(
      word.text(/^\S+$/, 'the dotted path of a field'),
      z.union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number, true or false' }),
    )
    .optional()
    .describe('Dotted path in the JSON answer to what must be there'),
  body: z.string().min(1).optional().describe('Text that the answer must contain'),
});

const headers = z.record(
  word.text(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, 'the name of a header'),
  word.text(/^[^\p{Cc}]*$/u, 'text without line breaks'),
);

const tls = word.map({
  ca_file: word.absolutePath.optional().describe('On the host: the authorities to trust instead of its own'),
  server_name: word.hostName
    .optional()
    .describe('The name in the certificate, when it is not that of the address'),
  insecure: z.boolean().optional().describe('Do not look at the certificate'),
});

/** What to look at; each may stand beside the others. */
const looks = {
  url: word.httpUrl.optional().describe('Asked from the host itself'),
  tcp: word.hostAndPort.optional().describe('host:port that must take a connection'),
  command: word.commandLine
    .optional()
    .describe('Must exit with 0; run in the live release. A list is run as it stands, a string by /bin/sh'),
  user: word.unixUser.optional().describe('Who runs the command; default: the user of the environment'),
  systemd: z
    .boolean()
    .optional()
    .describe('The unit must be active; of a scheduled fraise its timers, with good last results'),
  timeout: word.duration(1).optional().describe('Of one look; default 5s'),
  expect: expectation.optional().describe('What url must answer'),
  headers: headers
    .optional()
    .describe(
      'Sent to url; ${NAME} is filled in on the host from its environment_file, and sent to no other host',
    ),
  tls: tls.optional().describe('How the certificate of url is judged'),
};

const check = word.map(looks);

/** When a release counts as healthy. */
export const healthCheck = word.map({
  ...looks,
  checks: z.array(check).min(1).max(50).optional().describe('More to look at, each with its own settings'),
  attempts: word.wholeNumber(1, 1000).optional().describe('Default 10'),
  retries: word.wholeNumber(1, 1000).optional().meta(word.aliasOf('attempts')),
  delay: word.duration(0).optional().describe('Between two attempts; default 3s'),
  backoff: z
    .number({ error: BACKOFF })
    .min(1, { error: BACKOFF })
    .max(10, { error: BACKOFF })
    .optional()
    .describe('Each pause is the one before times this; default 1'),
  max_delay: word.duration(1).optional().describe('The longest pause with backoff; default 30s'),
  start_grace: word.duration(0).optional().describe('Before the first attempt; default 0s'),
  stable_for: word
    .duration(0)
    .optional()
    .describe('Healthy this long without a break before it counts; default 0s'),
  deadline: word.duration(1).optional().describe('Of all attempts together'),
});

export type WrittenCheck = z.infer<typeof check>;
export type WrittenHealthCheck = z.infer<typeof healthCheck>;
