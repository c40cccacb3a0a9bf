import { spawn } from 'node:child_process';

export interface CommandOutput {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Written to standard input, which is closed afterwards. */
  readonly input?: string | Buffer;
  /** SIGKILL after this long, and an error; default 60 s. */
  readonly timeoutMs?: number;
  /** Sends SIGINT when aborted, as Ctrl-C does. */
  readonly signal?: AbortSignal;
  /** Also shown, as it comes. */
  readonly onOutput?: (text: string) => void;
}

/** Runs argv to its end without a shell. Throws only when it cannot be started or takes longer than `timeoutMs`. */
export async function runCommand(
  argv: readonly [string, ...string[]],
  { cwd, environment, input, timeoutMs = 60_000, signal, onOutput }: CommandOptions = {},
): Promise<CommandOutput> {
  const [command, ...args] = argv;
  const child = spawn(command, args, { cwd, env: environment ?? process.env, stdio: 'pipe' });
  const interrupt = () => child.kill('SIGINT');
  signal?.addEventListener('abort', interrupt, { once: true });
  let late = false;
  const timer = setTimeout(() => (late = child.kill('SIGKILL')), timeoutMs);
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      onOutput?.(text);
    });
  }
  child.stdin.on('error', () => undefined).end(input ?? '');
  try {
    const code = await new Promise<number | null>((resolve, reject) =>
      child.on('error', reject).on('close', resolve),
    );
    if (late)
      throw new Error(
        `${argv.join(' ')} took longer than ${timeoutMs} ms:\n${output.stdout}${output.stderr}`,
      );
    return { code, ...output };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}

/** As `runCommand`, and anything but exit code 0 is an error that shows what it printed. Returns standard output. */
export async function mustRun(
  argv: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
