import { directoryFlag, type MigrationTool, type ToolSettings, type Words } from './tool.js';

/**
 * Never dumps the schema: that would need pg_dump and change a release. `status` knows files only, so a command of our
 * own reads which versions are recorded (PostgreSQL), or somebody else's migration would not be seen.
 */
export const dbmate: MigrationTool = {
  program: ['dbmate'],
  directory: 'the folder of the migrations (--migrations-dir)',
  up: (settings) => dbmateCommand(settings, 'migrate'),
  status: (settings) => [
    dbmateCommand(settings, 'status'),
    ['fraisier', 'sql', 'recorded', '--table', 'schema_migrations', '--column', 'version'],
  ],
  down: {
    commands: (settings, { applied }) => applied.map(() => dbmateCommand(settings, 'rollback')),
    begin: (settings) => dbmateCommand(settings, 'rollback'),
    words: 0,
    oneByOne: true,
  },
  rebuild: (settings) => [dbmateCommand(settings, 'drop'), dbmateCommand(settings, 'up')],
};

function dbmateCommand(settings: ToolSettings, command: string): Words {
  return [...settings.program, '--no-dump-schema', ...directoryFlag('--migrations-dir', settings), command];
}
