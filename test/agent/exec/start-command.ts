import { childProcessExec } from '../../../agent/exec/child-process.js';
import type { ExecSpec } from '../../../agent/exec/exec.js';

// An agent that starts the command given as JSON and then only waits to be killed.
await childProcessExec().start(JSON.parse(process.argv[2] ?? '') as ExecSpec);
setInterval(() => undefined, 1000);
