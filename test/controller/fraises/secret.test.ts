import { expect } from 'chai';
import { resolveSecret } from '../../../controller/fraises/secret.js';
import { refusal } from './samples.js';

const resolve = (template: string, environment: Record<string, string | undefined> = {}) =>
  resolveSecret({ template, path: 'git.github.webhook_secret' }, environment);

describe('resolveSecret', () => {
  it('gives a literal as it is', () => {
    expect(resolve('s3cret $HOME {x}')).to.equal('s3cret $HOME {x}');
  });

  it('takes variables from the environment it is given, at each use', () => {
    const environment = { A: 'one', B: 'two' };
    expect(resolve('${A}-${B}', environment)).to.equal('one-two');
    environment.A = '$&${B}';
    expect(resolve('${A}', environment)).to.equal('$&${B}');
  });

  it('takes the default for what is unset or empty', () => {
    expect(resolve('${A:-other}')).to.equal('other');
    expect(resolve('${A:-other}', { A: '' })).to.equal('other');
    expect(resolve('${A:-other}', { A: 'set' })).to.equal('set');
  });

  it('refuses what resolves to nothing, naming the variable and the place', () => {
    for (const [template, environment] of [
      ['${TOKEN}', {}],
      ['${TOKEN}', { TOKEN: '' }],
      ['${TOKEN}', { TOKEN: undefined }],
      ['${TOKEN:-}', {}],
      ['prefix-${TOKEN}', {}],
    ] as const) {
      const { message, reason } = refusal(() => resolve(template, environment));
      expect(message).to.equal(
        "git.github.webhook_secret: ${TOKEN} is not set, or empty, in the controller's environment",
      );
      expect(reason).to.deep.include({ code: 'invalid_configuration', facts: { variable: 'TOKEN' } });
    }
    expect(refusal(() => resolve('${constructor}')).message).to.contain('${constructor} is not set');
    expect(refusal(() => resolve('')).message).to.equal('git.github.webhook_secret: the secret is empty');
  });

  it('refuses a malformed template rather than take it for the secret', () => {
    for (const template of ['${', '${}', '${a b}', '${A', 'x${1}', '${A:default}']) {
      expect(refusal(() => resolve(template, { A: 'x' })).message).to.contain('has a malformed ${…}');
    }
  });
});
