import { runProgram } from '../../cli/program.js';

/** A command line, and where it is typed. */
export interface Typed {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs the command lines it is sent, one after the other, as programs of their own would, and answers what they print. */
process.on('message', (typed: Typed) => {
  void run(typed).then((output) => process.send?.(output));
});

async function run({ argv, cwd, environment }: Typed): Promise<unknown> {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
  process.chdir(cwd);
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = (text: string | Uint8Array, ...more: readonly unknown[]): boolean => {
      printed[stream] += typeof text === 'string' ? text : Buffer.from(text).toString();
      const written = more.find((one) => typeof one === 'function');
      (written as (() => void) | undefined)?.();
      return true;
    };
  }
  const code = await runProgram(argv);
  // Each run listens anew.
  process.stdout.removeAllListeners('error');
  return { code, ...printed };
}
