import { buildEnvironment } from './build-environment.js';
import type { Surroundings } from './build-environment.js';
import { checkEnvironment } from './check-environment.js';
import { checkReferences } from './check-references.js';
import type { PlacedEnvironment } from './check-references.js';
import type { Finding } from './finding.js';
import type { Configuration, Fraise } from './fraises.js';
import type { TopLevel, WrittenFraise } from './fraises-schema.js';
import { inheritSettings } from './inherit-settings.js';

interface Built<T> {
  readonly value: T;
  readonly findings: readonly Finding[];
}

/** Every fraise with its environments complete, and what is to be said of them and of what they share. */
export function buildFraises(
  top: TopLevel,
  mapping: Configuration['branchMapping'],
  hosts: Configuration['hosts'],
): Built<Configuration['fraises']> {
  const findings: Finding[] = [];
  const placed: PlacedEnvironment[] = [];
  const fraises = Object.entries(top.fraises).map(([name, written]) => {
    const built = buildFraise(name, written, top, mapping);
    findings.push(...built.findings);
    placed.push(...built.value);
    const environments = Object.fromEntries(
      built.value.map((one) => [one.environment.name, one.environment]),
    );
    const fraise: Fraise = { name, type: written.type, description: written.description ?? '', environments };
    return [name, fraise] as const;
  });
  return { value: Object.fromEntries(fraises), findings: [...findings, ...checkReferences(placed, hosts)] };
}

function buildFraise(
  name: string,
  { type, environments, ...own }: WrittenFraise,
  top: TopLevel,
  mapping: Configuration['branchMapping'],
): Built<readonly PlacedEnvironment[]> {
  const findings: Finding[] = [];
  const targets = Object.values(mapping).flat();
  const value = Object.entries(environments).map(([environment, written]) => {
    const path = ['fraises', name];
    const settings = inheritSettings(own, written, path, [...path, 'environments', environment]);
    const around: Surroundings = {
      fraise: name,
      environment,
      type,
      defaultProvider: top.git?.provider ?? 'github',
      defaultUser: top.deploy_user ?? null,
      git: top.git,
      mapped: targets.some((target) => target.fraise === name && target.environment === environment),
    };
    findings.push(...checkEnvironment(around, settings));
    return { environment: buildEnvironment(around, settings), pathOf: settings.pathOf };
  });
  return { value, findings };
}
