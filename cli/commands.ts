import { Agent } from './commands/agent.js';
import { AgentAllow } from './commands/agent-allow.js';
import { AgentInstall } from './commands/agent-install.js';
import { Agents } from './commands/agents.js';
import { AgentsRevoke } from './commands/agents-revoke.js';
import { AgentsToken } from './commands/agents-token.js';
import { Apply } from './commands/apply.js';
import { Cancel } from './commands/cancel.js';
import { Continue } from './commands/continue.js';
import { Controller } from './commands/controller.js';
import { Deploy } from './commands/deploy.js';
import { History } from './commands/history.js';
import { List } from './commands/list.js';
import { Lock } from './commands/lock.js';
import { Locks } from './commands/locks.js';
import { Login } from './commands/login.js';
import { Logs } from './commands/logs.js';
import { Retry } from './commands/retry.js';
import { Rollback } from './commands/rollback.js';
import { Show } from './commands/show.js';
import { Skip } from './commands/skip.js';
import { Stats } from './commands/stats.js';
import { Status } from './commands/status.js';
import { Unlock } from './commands/unlock.js';
import { Validate } from './commands/validate.js';
import { Watch } from './commands/watch.js';
import { Webhooks } from './commands/webhooks.js';
import { WebhooksReplay } from './commands/webhooks-replay.js';
import { WebhooksSetup } from './commands/webhooks-setup.js';
import { WebhooksShow } from './commands/webhooks-show.js';
import { Why } from './commands/why.js';

/** Every command by what is typed, words joined by colons. oclif reads this table (`strategy: explicit`). */
export const COMMANDS = {
  controller: Controller,
  agent: Agent,
  'agent:install': AgentInstall,
  'agent:allow': AgentAllow,
  agents: Agents,
  'agents:token': AgentsToken,
  'agents:revoke': AgentsRevoke,
  login: Login,
  validate: Validate,
  apply: Apply,
  list: List,
  deploy: Deploy,
  rollback: Rollback,
  retry: Retry,
  cancel: Cancel,
  continue: Continue,
  skip: Skip,
  lock: Lock,
  unlock: Unlock,
  locks: Locks,
  watch: Watch,
  status: Status,
  why: Why,
  history: History,
  show: Show,
  logs: Logs,
  stats: Stats,
  webhooks: Webhooks,
  'webhooks:show': WebhooksShow,
  'webhooks:replay': WebhooksReplay,
  'webhooks:setup': WebhooksSetup,
} as const;
