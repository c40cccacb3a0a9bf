import { runAgent } from '../../agent/main.js';

/** The real agent as a process of its own: `node agent-program.js STATE POLICY`, everything else from the environment. */
const [, , state = '', policy = ''] = process.argv;
process.exitCode = await runAgent({ state, policy });
process.exit();
