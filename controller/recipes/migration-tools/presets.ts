import { directoryFlag, type MigrationTool, type ToolSettings, type Words } from './tool.js';

/**
 * Tools of which only the command lines are known: `status` and `down` are the configuration's own, as with `command`.
 * Without them what they apply is a point of no return.
 */
export const confiture: MigrationTool = preset(['confiture'], {
  up: ({ program }) => [...program, 'migrate', 'up'],
});

export const prisma: MigrationTool = preset(['npx', '--no-install', 'prisma'], {
  directory: 'the folder that holds schema.prisma (--schema)',
  up: (settings) => prismaCommand(settings, ['migrate', 'deploy']),
  rebuild: (settings) => [prismaCommand(settings, ['migrate', 'reset', '--force', '--skip-seed'])],
});

export const flyway: MigrationTool = preset(['flyway'], {
  directory: 'the folder of the migrations (-locations)',
  up: (settings) => flywayCommand(settings, ['migrate']),
  rebuild: (settings) => [
    flywayCommand(settings, ['-cleanDisabled=false', 'clean']),
    flywayCommand(settings, ['migrate']),
  ],
});

export const rails: MigrationTool = preset(['bin/rails'], {
  up: ({ program }) => [...program, 'db:migrate'],
  rebuild: ({ program }) => [
    [...program, 'db:drop'],
    [...program, 'db:create'],
    [...program, 'db:migrate'],
  ],
});

/** `up`, `status` and `down` of the configuration; nothing of its own. */
export const command: MigrationTool = preset([], { up: ({ program }) => program });

function preset(
  program: Words,
  lines: Partial<Pick<MigrationTool, 'directory' | 'rebuild'>> & Pick<MigrationTool, 'up'>,
): MigrationTool {
  return { program, directory: null, status: () => [], down: null, rebuild: null, ...lines };
}

function prismaCommand(settings: ToolSettings, words: Words): Words {
  const file = settings.directory === '' ? '' : `${settings.directory}/schema.prisma`;
  return [...settings.program, ...words, ...directoryFlag('--schema', { ...settings, directory: file })];
}

function flywayCommand({ program, directory }: ToolSettings, words: Words): Words {
  return [...program, ...(directory === '' ? [] : [`-locations=filesystem:${directory}`]), ...words];
}
