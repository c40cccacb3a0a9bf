import { createHash } from 'node:crypto';
import { cut, segments } from './commit-status.js';
import type { CommitPlace, CommitStatus, StatusHost, StatusState } from './commit-status.js';

const CLOUD = 'https://bitbucket.org';

/**
 * Cloud, "Create a build status for a commit":
 * https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/. Data Center, "Updating build status for
 * commits": https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits/. Both want a link:
 * without one of ours it is the commit's own page. The token is an access token, or `name:password`.
 */
export const bitbucket: StatusHost = {
  apiOf,
  requestOf(place, status, token) {
    return {
      url: isCloud(place.baseUrl) ? cloudUrl(place) : dataCenterUrl(place),
      headers: { authorization: authorization(token) },
      body: JSON.stringify(bodyOf(place, status)),
      knownAlready: null,
    };
  },
};

function apiOf(baseUrl: string): string {
  return isCloud(baseUrl) ? 'https://api.bitbucket.org/2.0' : `${baseUrl}/rest/api/latest`;
}

function isCloud(baseUrl: string): boolean {
  return baseUrl === CLOUD;
}

function cloudUrl({ baseUrl, repository, commit }: CommitPlace): string {
  return `${apiOf(baseUrl)}/repositories/${segments(repository)}/commit/${commit}/statuses/build`;
}

function dataCenterUrl({ baseUrl, repository, commit }: CommitPlace): string {
  return `${apiOf(baseUrl)}/${dataCenterPath(repository)}/commits/${commit}/builds`;
}

/** Addresses for cloning over https say `scm/PROJECT/repository`. */
function dataCenterPath(repository: string): string {
  const [project = '', name = ''] = repository.replace(/^scm\//, '').split('/');
  return `projects/${segments(project)}/repos/${segments(name)}`;
}

function bodyOf(place: CommitPlace, { state, context, description, link }: CommitStatus): object {
  return {
    key: keyOf(context),
    name: cut(context, 255),
    state: wordOf(state, place.baseUrl),
    description: cut(description, 255),
    url: link ?? pageOf(place),
  };
}

/** Cloud takes 40 characters and no more. */
function keyOf(context: string): string {
  return context.length <= 40 ? context : createHash('sha256').update(context).digest('hex').slice(0, 40);
}

function wordOf(state: StatusState, baseUrl: string): string {
  switch (state) {
    case 'queued':
    case 'running':
      return 'INPROGRESS';
    case 'success':
      return 'SUCCESSFUL';
    case 'failure':
      return 'FAILED';
    case 'cancelled':
      return isCloud(baseUrl) ? 'STOPPED' : 'CANCELLED';
  }
}

function pageOf({ baseUrl, repository, commit }: CommitPlace): string {
  const path = isCloud(baseUrl) ? segments(repository) : dataCenterPath(repository);
  return `${baseUrl}/${path}/commits/${commit}`;
}

function authorization(token: string): string {
  return token.includes(':') ? `Basic ${Buffer.from(token).toString('base64')}` : `Bearer ${token}`;
}
