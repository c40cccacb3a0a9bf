import { Flags } from '@oclif/core';
import { FraisierCommand } from '../command.js';

const BELOW_HOME = '${XDG_STATE_HOME:-~/.local/state}/fraisier';

export class Controller extends FraisierCommand {
  static override summary = 'Run the controller until SIGTERM or Ctrl-C';
  static override description =
    'DATABASE_URL names its PostgreSQL; without it an embedded one is kept below the state folder. ' +
    'Also read: FRAISIER_LOG_LEVEL (info), FRAISIER_LEASE_MS (30000).';
  static override flags = {
    config: Flags.string({
      description: 'a configuration to apply at the start; default: the one that was applied last',
      env: 'FRAISIER_CONFIG',
      helpValue: 'FILE',
    }),
    http: Flags.string({
      description: 'where webhooks arrive; default: 0.0.0.0:8080',
      env: 'FRAISIER_HTTP',
      helpValue: 'ADDRESS',
    }),
    grpc: Flags.string({
      description: 'where the command line and enrolling agents arrive; default: 0.0.0.0:9090',
      env: 'FRAISIER_GRPC',
      helpValue: 'ADDRESS',
    }),
    agents: Flags.string({
      description: 'where enrolled agents arrive; default: 0.0.0.0:9091',
      env: 'FRAISIER_AGENTS',
      helpValue: 'ADDRESS',
    }),
    advertise: Flags.string({
      // Read from the environment by the controller itself: the parser would hand on one text where a list is wanted.
      description:
        'the names and addresses in its certificate; default: those of this machine [env: FRAISIER_ADVERTISE]',
      helpValue: 'HOST',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    socket: Flags.string({
      description: `the socket for this machine; default: /run/fraisier/control.sock for root, else ${BELOW_HOME}/control.sock`,
      env: 'FRAISIER_SOCKET',
      helpValue: 'PATH',
    }),
    state: Flags.string({
      description: `the state folder; default: /var/lib/fraisier/controller for root, else ${BELOW_HOME}/controller`,
      env: 'FRAISIER_STATE',
      helpValue: 'DIR',
    }),
    'key-file': Flags.string({
      description:
        "what seals the authority's key, shared by all controllers; default: key below the state folder",
      env: 'FRAISIER_KEY_FILE',
      helpValue: 'FILE',
    }),
    'first-token-file': Flags.string({
      description: 'where the first admin token is written; default: to stderr',
      env: 'FRAISIER_FIRST_TOKEN_FILE',
      helpValue: 'FILE',
    }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Controller);
    const { runController } = await import('../../controller/main.js');
    const { 'key-file': keyFile, 'first-token-file': firstTokenFile, ...rest } = flags;
    return runController({ ...rest, keyFile, firstTokenFile });
  }
}
