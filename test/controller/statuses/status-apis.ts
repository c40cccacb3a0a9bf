import { COMMIT, REPOSITORY, type StatusApi } from './git-host-server.js';

/** Secret of every test: it may be in the headers of a request, and nowhere else. */
export const CANARY = 'canary-0f3d9b7a41-token';

const BASIC = `Basic ${Buffer.from(`x-token:${CANARY}`).toString('base64')}`;

function oneOf(
  key: string,
  words: readonly string[],
  limits: Readonly<Record<string, number>>,
  needed: readonly string[] = [],
) {
  return (body: Record<string, string>): string | null => {
    if (!words.includes(body[key] ?? '')) return `${key} is not one of ${words.join(', ')}`;
    for (const [name, limit] of Object.entries(limits))
      if ((body[name] ?? '').length > limit) return `${name} is too long (maximum is ${limit} characters)`;
    const missing = needed.find((name) => (body[name] ?? '') === '');
    return missing === undefined ? null : `${missing} is required`;
  };
}

/** The four APIs, and Bitbucket's other one, as their pages say; see the files of `controller/statuses/` for these. */
export const APIS = {
  github: {
    path: new RegExp(`^/api/v3/repos/${REPOSITORY}/statuses/${COMMIT}$`),
    isAllowed: ({ authorization, 'user-agent': agent }) =>
      authorization === `Bearer ${CANARY}` && agent !== undefined,
    fault: oneOf('state', ['error', 'failure', 'pending', 'success'], { description: 140, context: 255 }),
    accepted: 201,
    unprocessable: 422,
  },
  gitlab: {
    path: new RegExp(`^/api/v4/projects/${encodeURIComponent(REPOSITORY)}/statuses/${COMMIT}$`),
    isAllowed: (headers) => headers['private-token'] === CANARY,
    fault: oneOf('state', ['pending', 'running', 'success', 'failed', 'canceled', 'skipped'], {
      description: 255,
      name: 255,
    }),
    accepted: 201,
    unprocessable: 400,
  },
  gitea: {
    path: new RegExp(`^/api/v1/repos/${REPOSITORY}/statuses/${COMMIT}$`),
    isAllowed: ({ authorization }) => authorization === `token ${CANARY}`,
    fault: oneOf('state', ['pending', 'success', 'error', 'failure', 'warning'], { context: 255 }),
    accepted: 201,
    unprocessable: 400,
  },
  bitbucket: {
    path: new RegExp(`^/rest/api/latest/projects/acme/repos/checkout/commits/${COMMIT}/builds$`),
    isAllowed: ({ authorization }) => authorization === `Bearer ${CANARY}` || authorization === BASIC,
    fault: oneOf(
      'state',
      ['INPROGRESS', 'SUCCESSFUL', 'FAILED', 'CANCELLED', 'UNKNOWN'],
      { key: 255, name: 255 },
      ['key', 'url'],
    ),
    accepted: 204,
    unprocessable: 400,
  },
} as const satisfies Record<string, StatusApi>;

/** On a name of its own, reached in tests by another way. */
export const BITBUCKET_CLOUD: StatusApi = {
  path: new RegExp(`^/2.0/repositories/${REPOSITORY}/commit/${COMMIT}/statuses/build$`),
  isAllowed: APIS.bitbucket.isAllowed,
  fault: oneOf('state', ['INPROGRESS', 'SUCCESSFUL', 'FAILED', 'STOPPED'], { key: 40, name: 255 }, [
    'key',
    'url',
  ]),
  accepted: 201,
  unprocessable: 400,
};
