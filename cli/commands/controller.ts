import { Flags } from '@oclif/core';
import { FraisierCommand } from '../command.js';

const BELOW_HOME = '${XDG_STATE_HOME:-~/.local/state}/fraisier';

export class Controller extends FraisierCommand {
  static override summary = 'Run the controller until SIGTERM or Ctrl-C';
  static override description =
    'DATABASE_URL names its PostgreSQL; without it an embedded one is kept below the state folder. ' +
    'Also read: FRAISIER_LOG_LEVEL (info), FRAISIER_LEASE_MS (30000) and how long what is kept: FRAISIER_KEEP_BODIES (30d), ' +
    'FRAISIER_KEEP_BODIES_SIZE (1GB), FRAISIER_KEEP_DELIVERIES (180d), FRAISIER_KEEP_REFUSED (7d), FRAISIER_KEEP_OUTPUT (90d), FRAISIER_KEEP_QUESTIONS (1d), FRAISIER_KEEP_NOTIFICATIONS (7d).';
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
    'body-limit': Flags.string({
      description: 'the largest delivery that is taken; default: 25 MiB, as much as GitHub sends',
      env: 'FRAISIER_BODY_LIMIT',
      helpValue: '10MB',
    }),
    'rate-limit': Flags.string({
      description: 'unverified deliveries a minute from one address; default: 600',
      env: 'FRAISIER_RATE_LIMIT',
      helpValue: 'N',
    }),
    'repository-rate-limit': Flags.string({
      description: 'verified deliveries a minute of one repository; default: 600',
      env: 'FRAISIER_REPOSITORY_RATE_LIMIT',
      helpValue: 'N',
    }),
    'trusted-proxy': Flags.string({
      // Read from the environment by the controller itself, as above.
      description:
        'reverse proxies whose X-Forwarded-For is believed; default: none [env: FRAISIER_TRUSTED_PROXIES]',
      helpValue: 'ADDRESS[/BITS]',
      multiple: true,
      multipleNonGreedy: true,
      delimiter: ',',
    }),
    'public-url': Flags.string({
      description: 'where people find this controller, for the links in commit statuses; default: no links',
      env: 'FRAISIER_PUBLIC_URL',
      helpValue: 'URL',
    }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Controller);
    const { runController } = await import('../../controller/main.js');
    const {
      'key-file': keyFile,
      'first-token-file': firstTokenFile,
      'public-url': publicUrl,
      'body-limit': bodyLimit,
      'rate-limit': rateLimit,
      'repository-rate-limit': repositoryRateLimit,
      'trusted-proxy': trustedProxies,
      ...rest
    } = flags;
    const door = { bodyLimit, rateLimit, repositoryRateLimit, trustedProxies };
    return runController({ ...rest, ...door, keyFile, firstTokenFile, publicUrl });
  }
}
