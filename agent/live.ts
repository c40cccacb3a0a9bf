import { join } from 'node:path';
import type { LiveFraise } from '../proto/gen/fraisier/v1/agent.js';
import { Target } from '../proto/gen/fraisier/v1/plan.js';
import type { Disk } from './disk.js';

/** What is found on the host for one target; `release` is empty when nothing is live. */
export interface FoundLive {
  readonly release: string;
  readonly provenGood: boolean;
  readonly origin: string;
}

/**
 * The fraises this host has been given, remembered in `<state>/fraises.json` (targets only, no values of the host), and
 * what is live of each according to the links on the disk.
 */
export class LiveFraises {
  readonly #ports: { readonly disk: Disk; readonly look: (target: Target) => Promise<FoundLive> };
  readonly #path: string;

  constructor(ports: { disk: Disk; look: (target: Target) => Promise<FoundLive> }, stateFolder: string) {
    this.#ports = ports;
    this.#path = join(stateFolder, 'fraises.json');
  }

  async remember(target: Target): Promise<void> {
    const known = await this.#targets();
    const key = keyOf(target);
    if (JSON.stringify(known[key]) === JSON.stringify(target)) return;
    await this.#ports.disk.writeWhole(this.#path, Buffer.from(JSON.stringify({ ...known, [key]: target })));
  }

  /** Fraises of which nothing is live are left out. */
  async list(): Promise<readonly LiveFraise[]> {
    const found = Object.values(await this.#targets()).map(async (target) => {
      const { fraise, environment, appPath } = target;
      return { fraise, environment, appPath, ...(await this.#ports.look(target)) };
    });
    return (await Promise.all(found)).filter(({ release }) => release !== '');
  }

  async #targets(): Promise<Readonly<Record<string, Target>>> {
    const bytes = await this.#ports.disk.read(this.#path);
    if (bytes === null) return {};
    const read = JSON.parse(Buffer.from(bytes).toString()) as Record<string, Partial<Target>>;
    return Object.fromEntries(Object.entries(read).map(([key, target]) => [key, Target.fromPartial(target)]));
  }
}

function keyOf({ fraise, environment }: Target): string {
  return `${fraise} ${environment}`;
}
