import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { FRAISIER, plainEnvironment } from '../support/fraisier-program.js';
import { newToken } from '../../proto/tokens.js';
import { anAuthority } from '../controller/pki/support.js';
import { aDesk, type Desk } from './desk.js';

describe('fraisier, when something is wrong', () => {
  let desk: Desk;
  before(async () => {
    desk = await aDesk();
  });
  after(() => desk.clear());

  type Environment = Record<string, string | undefined>;
  async function failure(
    args: readonly string[],
    environment: Environment = {},
  ): Promise<{ code: number | null; stderr: string }> {
    const { code, stdout, stderr } = await desk.fraisier(args, { environment });
    expect(stdout).to.equal('');
    return { code, stderr };
  }
  const overTls = (token: string): Environment => ({
    FRAISIER_CONTROLLER: desk.controller.address,
    FRAISIER_TOKEN: token,
  });

  it('says that no controller answers at a socket that is not there', async () => {
    expect(await failure(['list', '--controller', 'unix:/nowhere/control.sock'])).to.deep.equal({
      code: 3,
      stderr:
        'error: no controller answers at unix:/nowhere/control.sock: there is no such socket\n' +
        'next: fraisier controller (starts one here), or name another: --controller ADDRESS\n',
    });
  });

  it('says that no controller answers at a port where nothing listens', async () => {
    const { controller } = desk;
    await desk.fraisier(['login', controller.address, '--context', 'gone'], { input: controller.token });
    const port = controller.port;
    controller.stop();
    try {
      expect(await failure(['list', '--context', 'gone'])).to.deep.equal({
        code: 3,
        stderr:
          `error: no controller answers at localhost:${port}: connection refused\n` +
          'next: check the address, and that the controller runs and its port is reachable from here\n',
      });
    } finally {
      await controller.listen(port);
      await controller.listenOnSocket(desk.socket);
    }
  });

  it('asks for a token where none is known', async () => {
    expect(await failure(['list', '--controller', 'shop.example.com'])).to.deep.equal({
      code: 2,
      stderr:
        'error: no token for the controller at shop.example.com:9090\nnext: fraisier login shop.example.com:9090\n',
    });
  });

  it('refuses a controller that another authority vouches for, and sends it nothing', async () => {
    const foreign = newToken('api', (await anAuthority()).fingerprint, randomBytes);
    const heard = desk.controller.heard.length;
    expect(await failure(['list'], overTls(foreign))).to.deep.equal({
      code: 3,
      stderr:
        `error: the controller at ${desk.controller.address} is not the one this token is for: its certificate authority has another fingerprint\n` +
        'next: check the address, or ask for a new token; nothing was sent\n',
    });
    expect(desk.controller.heard).to.have.lengthOf(heard);
  });

  it('refuses a controller whose certificate is not of the stored authority', async () => {
    const { address } = desk.controller;
    const authority = (await anAuthority()).certificatePem;
    const token = desk.controller.token;
    const contexts = { current: 'old', contexts: { old: { address, token, authority } } };
    await desk.file('contexts.json', JSON.stringify(contexts));
    await mkdir(`${desk.folder}/other/fraisier`, { recursive: true });
    await copyFile(`${desk.folder}/contexts.json`, `${desk.folder}/other/fraisier/contexts.json`);
    const { code, stderr } = await failure(['list'], {
      FRAISIER_CONTROLLER: undefined,
      XDG_CONFIG_HOME: `${desk.folder}/other`,
    });
    expect(code).to.equal(3);
    expect(stderr).to.match(
      /^error: the controller at localhost:\d+ cannot prove who it is: .*certificate.*\n/,
    );
    expect(stderr).to.match(
      /\nnext: if it was set up anew: fraisier login localhost:\d+; if the name is missing: fraisier controller --advertise NAME\n$/,
    );
  });

  it('refuses something that does not speak TLS', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { code, stderr } = await failure(['list', '--controller', address], {
        FRAISIER_TOKEN: desk.controller.token,
      });
      expect({ code, stderr }).to.deep.equal({
        code: 3,
        stderr:
          `error: what answers at ${address} does not speak TLS as a controller does\n` +
          'next: check the address: enrolment and the command line use the gRPC port, 9090 by default\n',
      });
    } finally {
      server.close();
    }
  });

  it('says which side to upgrade when the protocol is another (row 3)', async () => {
    desk.controller.speaks = 7;
    try {
      expect(await failure(['list'])).to.deep.equal({
        code: 3,
        stderr:
          'error: the command line speaks protocol 1, this controller at least 7: upgrade the command line\n',
      });
    } finally {
      desk.controller.speaks = 1;
    }
  });

  it('says that a controller is too old to know the question', async () => {
    const old = new Server();
    const socket = join(desk.folder, 'old.sock');
    await new Promise((resolve) =>
      old.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), resolve),
    );
    try {
      expect(await failure(['list', '--controller', `unix:${socket}`])).to.deep.equal({
        code: 3,
        stderr: `error: the controller at unix:${socket} is older than this command\nnext: upgrade the controller\n`,
      });
    } finally {
      old.forceShutdown();
    }
  });

  it('stops when nobody reads its answer any more', async () => {
    const argv = [FRAISIER, 'list', '--controller', `unix:${desk.socket}`];
    const child = spawn(process.execPath, argv, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: plainEnvironment(),
    });
    child.stdout.destroy();
    expect(await once(child, 'close')).to.deep.equal([3, null]);
  });

  it('says that a token is unknown, is none, or is for something else', async () => {
    const { fingerprint } = desk.controller.authority;
    expect(await failure(['list'], overTls(newToken('api', fingerprint, randomBytes)))).to.deep.equal({
      code: 5,
      stderr: 'error: this controller does not know this token\nnext: fraisier login ADDRESS\n',
    });
    expect(await failure(['list'], overTls('hunter2'))).to.deep.equal({
      code: 5,
      stderr:
        'error: this is no token of fraisier: they begin with frj_ (to join) or fra_ (for the API)\nnext: fraisier login ADDRESS\n',
    });
    expect(await failure(['list'], overTls(newToken('join', fingerprint, randomBytes)))).to.deep.equal({
      code: 5,
      stderr:
        'error: this token lets an agent join; the command line wants an API token\n' +
        'next: on the host: fraisier agent --controller ADDRESS --join-token-file FILE\n',
    });
  });

  it('says that a role does not allow it', async () => {
    expect(await failure(['agents', 'revoke', 'web-1'], overTls(desk.controller.viewerToken))).to.deep.equal({
      code: 5,
      stderr:
        'error: bob is viewer; this needs the role admin\nnext: ask an administrator for a token with another role\n',
    });
  });

  const unknown: [string[], string][] = [
    [['deploy', 'chekout', 'production'], 'error: there is no fraise chekout\nnext: fraisier list\n'],
    [['show', 'd_9'], 'error: there is no deployment d_9\nnext: fraisier history\n'],
    [['watch', 'd_9'], 'error: there is no deployment d_9\nnext: fraisier history\n'],
    [['logs', 'd_9'], 'error: there is no deployment d_9\nnext: fraisier history\n'],
    [['webhooks', 'show', 'w_9'], 'error: there is no delivery w_9\nnext: fraisier webhooks\n'],
    [['agents', 'revoke', 'web-9'], 'error: there is no agent web-9\nnext: fraisier agents\n'],
  ];
  for (const [args, stderr] of unknown) {
    it(`says what is unknown: ${args.join(' ')}`, async () => {
      expect(await failure(args)).to.deep.equal({ code: 2, stderr });
    });
  }

  it('says the same as JSON on stderr', async () => {
    const { code, stderr } = await failure(['show', 'd_9', '--json']);
    expect(code).to.equal(2);
    expect(JSON.parse(stderr)).to.deep.equal({
      error: { code: 'unknown_deployment', message: 'there is no deployment d_9', hint: 'fraisier history' },
    });
  });

  it('passes on what the controller says about a configuration', async () => {
    const file = await desk.file('nonsense.yaml', 'nonsense');
    expect(await failure(['apply', file])).to.deep.equal({
      code: 2,
      stderr: `error: ${file}:1:1: nonsense: unknown key\nnext: fraisier validate ${file}\n`,
    });
  });

  it('says that a fraise is locked', async () => {
    expect(await failure(['deploy', 'frozen', 'production'])).to.deep.equal({
      code: 4,
      stderr: 'error: ann holds checkout → production\nnext: fraisier locks\n',
    });
  });

  const usage: [string[], string][] = [
    [['deplpy'], 'error: unknown command: deplpy\nnext: fraisier --help\n'],
    [['agents', 'eat'], 'error: unknown command: agents eat\nnext: fraisier agents --help\n'],
    [['deploy', 'checkout'], 'error: missing: ENVIRONMENT\nnext: fraisier deploy --help\n'],
    [['deploy', 'a', 'b', '--nope'], 'error: Nonexistent flag: --nope\nnext: fraisier deploy --help\n'],
    [['agents', 'token'], 'error: Missing required flag name\nnext: fraisier agents token --help\n'],
    [
      ['agents', 'token', '--name', 'x', '--label', 'web'],
      'error: "web" is no label: wanted is KEY=VALUE\nnext: fraisier agents token --help\n',
    ],
    [
      ['history', '--since', 'ever'],
      'error: "ever" is no duration: wanted is a number with a unit, like 30s, 10m, 2h or 7d\nnext: fraisier history --help\n',
    ],
    [
      ['list', '--token-file', '/nowhere', '--controller', 'shop'],
      'error: cannot read /nowhere: there is no such file\n',
    ],
    [
      ['list', '--context', 'mars'],
      'error: there is no context "mars" (known: gone)\nnext: fraisier login ADDRESS --context mars\n',
    ],
    [['list', '--controller', 'unix:'], 'error: "unix:" is no address: a path is wanted after unix:\n'],
  ];
  for (const [args, stderr] of usage) {
    it(`ends with 2 for a wrong command line: ${args.join(' ')}`, async () => {
      expect(await failure(args)).to.deep.equal({ code: 2, stderr });
    });
  }
});
