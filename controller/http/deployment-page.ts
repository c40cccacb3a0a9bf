import type { RequestHandler } from 'express';
import type { Ledger } from '../deployments/ledger.js';
import type { DeploymentRow } from '../deployments/ledger/deployment.js';
import { statusOf } from '../statuses/status-of.js';

/**
 * `GET /deployments/<id>`: where the link of a commit status leads. Whoever has the link may look, without a token, so it
 * says no more than how the deployment is: of its reason the kind alone, since the sentence may hold output, hosts or people.
 */
export function deploymentPage(ledger: Pick<Ledger, 'deployment'>): RequestHandler<{ id: string }> {
  return async ({ params: { id } }, response, next) => {
    const deployment = /^d_\w{1,64}$/.test(id) ? await ledger.deployment(id) : null;
    if (deployment === null) {
      next();
      return;
    }
    response.set({ 'Cache-Control': 'no-store', 'X-Robots-Tag': 'noindex' });
    response.type('html').send(pageOf(deployment));
  };
}

function pageOf(deployment: DeploymentRow): string {
  const { id, fraise, environment, commit, status, reason, createdAt, startedAt, finishedAt } = deployment;
  const rows = [
    ['fraise', escaped(fraise)],
    ['environment', escaped(environment)],
    ['version', escaped(commit)],
    ['status', escaped(status.replaceAll('_', ' '))],
    ...(reason === null ? [] : [['reason', escaped(reason.code.replaceAll('_', ' '))]]),
    ['queued', timeOf(createdAt)],
    ...(startedAt === null ? [] : [['started', timeOf(startedAt)]]),
    ...(finishedAt === null ? [] : [['ended', timeOf(finishedAt)]]),
  ];
  const list = rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('\n');
  const { description } = statusOf(deployment, status, null);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(description)}</title>
<h1>${escaped(description)}</h1>
<dl>
${list}
</dl>
<p>Everything else: <code>fraisier show ${escaped(id)}</code></p>
</html>
`;
}

function timeOf(at: Date): string {
  const text = at.toISOString();
  return `<time datetime="${text}">${text}</time>`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}
