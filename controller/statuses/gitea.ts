import { cut, segments, type StatusHost, type StatusState } from './commit-status.js';

const WORDS: Readonly<Record<StatusState, string>> = {
  queued: 'pending',
  running: 'pending',
  success: 'success',
  failure: 'failure',
  cancelled: 'error',
};

/**
 * `repoCreateStatus` of https://docs.gitea.com/api and https://codeberg.org/api/swagger (Forgejo), the same in both. The
 * token needs `write:repository`. Gogs has no statuses: it answers 404.
 */
export const gitea: StatusHost = {
  apiOf,
  requestOf({ baseUrl, repository, commit }, { state, context, description, link }, token) {
    return {
      url: `${apiOf(baseUrl)}/repos/${segments(repository)}/statuses/${commit}`,
      headers: { authorization: `token ${token}` },
      body: JSON.stringify({
        state: WORDS[state],
        context: cut(context, 255),
        description: cut(description, 255),
        ...(link !== null && { target_url: link }),
      }),
      knownAlready: null,
    };
  },
};

function apiOf(baseUrl: string): string {
  return `${baseUrl}/api/v1`;
}
