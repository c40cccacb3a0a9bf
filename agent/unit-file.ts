import type { AgentConfig } from './config.js';

export const UNIT_NAME = 'fraisier-agent.service';

/**
 * The agent's own unit. `KillMode=process`: commands are units (or process groups) of their own and outlive a restart of
 * the agent. Exit status 2 (wrong usage) and 5 (revoked) are for people to mend, not for a restart.
 */
export function agentUnit(program: readonly [node: string, script: string], config: AgentConfig): string {
  const environment = {
    ...(config.controllers.length > 0 && { FRAISIER_CONTROLLER: config.controllers.join(',') }),
    FRAISIER_STATE: config.state,
    FRAISIER_POLICY: config.policy,
  };
  return `[Unit]
Description=Fraisier agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${[...program, 'agent'].map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}
${Object.entries(environment)
  .map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`)
  .join('\n')}
KillMode=process
Restart=always
RestartSec=1
RestartPreventExitStatus=2 5

[Install]
WantedBy=multi-user.target
`;
}

/** One word of a unit file, whatever is in it. */
function quoted(word: string): string {
  const escaped = word
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replaceAll('\n', '\\n');
  return `"${escaped}"`;
}
