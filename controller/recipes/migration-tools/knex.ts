import { directoryFlag, type MigrationTool, type ToolSettings, type Words } from './tool.js';

/** `--no-install`: what is not in the release is not fetched from anywhere in the middle of a deployment. */
export const knex: MigrationTool = {
  program: ['npx', '--no-install', 'knex'],
  directory: 'the folder of the migrations (--migrations-directory)',
  up: (settings) => knexCommand(settings, 'migrate:latest'),
  status: (settings) => [knexCommand(settings, 'migrate:list')],
  down: {
    commands: (settings, { applied }) => applied.map((name) => [...down(settings), name]),
    begin: down,
    words: 1,
    oneByOne: false,
  },
  rebuild: (settings) => [
    [...knexCommand(settings, 'migrate:rollback'), '--all'],
    knexCommand(settings, 'migrate:latest'),
  ],
};

function down(settings: ToolSettings): Words {
  return knexCommand(settings, 'migrate:down');
}

function knexCommand(settings: ToolSettings, command: string): Words {
  return [...settings.program, command, ...directoryFlag('--migrations-directory', settings)];
}
