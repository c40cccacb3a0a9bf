import { cut, type StatusHost, type StatusState } from './commit-status.js';

const WORDS: Readonly<Record<StatusState, string>> = {
  queued: 'pending',
  running: 'running',
  success: 'success',
  failure: 'failed',
  cancelled: 'canceled',
};

/**
 * "Set commit pipeline status": https://docs.gitlab.com/api/commits/#set-commit-pipeline-status. The project is its path
 * with every slash encoded; names and descriptions may have 255 characters. The token needs `api` and the role Developer.
 */
export const gitlab: StatusHost = {
  apiOf,
  requestOf({ baseUrl, repository, commit }, { state, context, description, link }, token) {
    return {
      url: `${apiOf(baseUrl)}/projects/${encodeURIComponent(repository)}/statuses/${commit}`,
      headers: { 'private-token': token },
      body: JSON.stringify({
        state: WORDS[state],
        name: cut(context, 255),
        description: cut(description, 255),
        ...(link !== null && { target_url: link }),
      }),
      // Answered with 400 when it is pending or running already (gitlab-org/gitlab-foss issue 25807).
      knownAlready: /Cannot transition status/,
    };
  },
};

function apiOf(baseUrl: string): string {
  return `${baseUrl}/api/v4`;
}
