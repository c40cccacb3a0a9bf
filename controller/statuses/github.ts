import { cut, segments, type StatusHost, type StatusState } from './commit-status.js';

const WORDS: Readonly<Record<StatusState, string>> = {
  queued: 'pending',
  running: 'pending',
  success: 'success',
  failure: 'failure',
  cancelled: 'error',
};

/**
 * "Create a commit status": https://docs.github.com/en/rest/commits/statuses#create-a-commit-status. A description may
 * have 140 characters. The token needs `repo:status`, or "Commit statuses: write" if it is fine-grained.
 */
export const github: StatusHost = {
  apiOf,
  requestOf({ baseUrl, repository, commit }, { state, context, description, link }, token) {
    return {
      url: `${apiOf(baseUrl)}/repos/${segments(repository)}/statuses/${commit}`,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        'x-github-api-version': '2022-11-28',
      },
      body: JSON.stringify({
        state: WORDS[state],
        context: cut(context, 255),
        description: cut(description, 140),
        ...(link !== null && { target_url: link }),
      }),
      knownAlready: null,
    };
  },
};

/** An Enterprise Server has its API below `/api/v3`; an enterprise on ghe.com, like github.com, on a name of its own. */
function apiOf(baseUrl: string): string {
  const { protocol, host } = new URL(baseUrl);
  const isHosted = host === 'github.com' || host.endsWith('.ghe.com');
  return isHosted ? `${protocol}//api.${host}` : `${baseUrl}/api/v3`;
}
