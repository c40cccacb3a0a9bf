import { directoryFlag, type MigrationTool, type ToolSettings, type Words } from './tool.js';

/** One revision after the other; `downgrade` names the revision to end at, so one command undoes exactly what was applied. */
export const alembic: MigrationTool = {
  program: ['alembic'],
  directory: 'the folder that holds alembic.ini (-c)',
  ...revisions((settings, words) => {
    const file = settings.directory === '' ? '' : `${settings.directory}/alembic.ini`;
    return [...settings.program, ...directoryFlag('-c', { ...settings, directory: file }), ...words];
  }),
};

/** Alembic below `flask db`. */
export const flaskMigrate: MigrationTool = {
  program: ['flask'],
  directory: 'the folder of the migrations (--directory)',
  ...revisions((settings, [command = '', ...words]) => {
    return [...settings.program, 'db', command, ...directoryFlag('--directory', settings), ...words];
  }),
};

function revisions(
  line: (settings: ToolSettings, words: Words) => Words,
): Omit<MigrationTool, 'program' | 'directory'> {
  return {
    up: (settings) => line(settings, ['upgrade', 'head']),
    status: (settings) => [line(settings, ['current']), line(settings, ['history', '--verbose'])],
    down: {
      commands: (settings, { before: { revision } }) => [
        line(settings, ['downgrade', revision === '' ? 'base' : revision]),
      ],
      begin: (settings) => line(settings, ['downgrade']),
      words: 1,
      oneByOne: false,
    },
    rebuild: (settings) => [line(settings, ['downgrade', 'base']), line(settings, ['upgrade', 'head'])],
  };
}
