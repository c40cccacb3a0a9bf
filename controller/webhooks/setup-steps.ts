import type { Provider } from '../fraises/fraises.js';

/** Where to click at a git host, in order; the address, the content type and the secret are told beside it. */
export function stepsAt(provider: Provider): readonly string[] {
  return STEPS[provider];
}

const STEPS: Readonly<Record<Provider, readonly string[]>> = {
  github: [
    'Settings → Webhooks → Add webhook (of the repository, or of the organization for all of its repositories)',
    'Payload URL: the address; Content type: application/json; Secret: the secret',
    'Just the push event; it tells branches and tags',
    'Active; the ping that follows is answered 200 when the secret is right',
  ],
  gitlab: [
    'Settings → Webhooks → Add new webhook (of the project, or of the group)',
    'URL: the address; Secret token: the secret, or a signing token whose value is the secret',
    'Trigger: Push events and Tag push events',
    'Enable SSL verification; then Test → Push events',
  ],
  gitea: [
    'Settings → Webhooks → Add Webhook → Gitea, Forgejo or Gogs',
    'Target URL: the address; HTTP method: POST; POST content type: application/json; Secret: the secret',
    'Trigger on: Push events; at Gogs also Create, which tells tags',
    'Active; then Test Delivery',
  ],
  bitbucket: [
    'Repository settings → Webhooks → Add webhook (Data Center: Create webhook)',
    'URL: the address; Secret: the secret',
    'Triggers: Repository push',
    'Status: active; Data Center: Test connection, which is not signed and proves only the address',
  ],
};
