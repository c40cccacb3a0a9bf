import { Flags } from '@oclif/core';

const BELOW_HOME = '${XDG_STATE_HOME:-~/.local/state}/fraisier/agent';

const list = (description: string, helpValue: string) =>
  Flags.string({ description, helpValue, multiple: true, multipleNonGreedy: true, helpGroup: 'POLICY' });

const file = (description: string, helpValue: string) =>
  Flags.string({ description, helpValue, helpGroup: 'POLICY' });

/** The policy file of this host. */
export const POLICY_FLAG = {
  policy: Flags.string({
    description: `what this host allows; default: /etc/fraisier/policy.yaml for root, else policy.yaml in the state folder`,
    env: 'FRAISIER_POLICY',
    helpValue: 'FILE',
  }),
};

/** What `agent` and `agent install` have in common. */
export const AGENT_FLAGS = {
  controller: Flags.string({
    // Read from the environment by the agent itself: the parser would hand on one text where a list is wanted.
    description:
      'HOST[:PORT] of a controller (port 9090); needed to join, several are tried in turn [env: FRAISIER_CONTROLLER]',
    helpValue: 'ADDRESS',
    multiple: true,
    multipleNonGreedy: true,
    delimiter: ',',
  }),
  'join-token-file': Flags.string({
    description: 'a file with a join token, - for standard input; default: the token in FRAISIER_JOIN_TOKEN',
    helpValue: 'FILE',
  }),
  state: Flags.string({
    description: `the state folder; default: /var/lib/fraisier/agent for root, else ${BELOW_HOME}`,
    env: 'FRAISIER_STATE',
    helpValue: 'DIR',
  }),
  ...POLICY_FLAG,
};

/** What a controller may do here, as `agent allow` and `agent install` take it; each may be repeated. */
export const ALLOW_FLAGS = {
  repository: list('code may come from here', 'URL'),
  path: list('code may go below this folder', 'PATH'),
  unit: list('this systemd unit may be restarted', 'UNIT'),
  'unit-file': list('the file of this unit may come from the repository; root runs what it says', 'UNIT'),
  user: list('commands may run as this user', 'USER'),
  command: list('this command may run; * matches the rest of a word, a last ** any more words', 'COMMAND'),
  'ssh-key': file('the SSH key of this host for the given repositories', 'FILE'),
  'known-hosts': file("host keys to trust with it; default: ssh's own files", 'FILE'),
  'token-file': file('a file of this host with the token for the given repositories (https)', 'FILE'),
  username: file('sent with the token; default: x-access-token', 'NAME'),
};

/** The flags as the agent's functions take them. */
export function allowedBy(flags: {
  readonly repository?: readonly string[] | undefined;
  readonly path?: readonly string[] | undefined;
  readonly unit?: readonly string[] | undefined;
  readonly 'unit-file'?: readonly string[] | undefined;
  readonly user?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly 'ssh-key'?: string | undefined;
  readonly 'known-hosts'?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly username?: string | undefined;
}) {
  const { 'ssh-key': sshKey, 'known-hosts': knownHosts, 'token-file': tokenFile, username } = flags;
  return {
    credential: {
      ...(sshKey === undefined ? {} : { sshKey }),
      ...(knownHosts === undefined ? {} : { knownHosts }),
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(username === undefined ? {} : { username }),
    },
    repositories: flags.repository ?? [],
    paths: flags.path ?? [],
    units: flags.unit ?? [],
    unit_files: flags['unit-file'] ?? [],
    users: flags.user ?? [],
    commands: flags.command ?? [],
  };
}
