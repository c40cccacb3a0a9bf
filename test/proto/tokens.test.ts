import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { FraisierError } from '../../proto/error-codes.js';
import { authorityFingerprint, newToken, parseToken, tokenHash } from '../../proto/tokens.js';

const fingerprint = authorityFingerprint(Buffer.from('a certificate'));

describe('tokens', () => {
  it('are taken apart as they were made, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.constantFrom('join', 'api'),
        (bytes, kind) => {
          const token = newToken(kind, fingerprint, () => bytes);
          const secret = Buffer.from(bytes).toString('base64url');
          expect(parseToken(` ${token}\n`)).to.deep.equal({ kind, secret, fingerprint });
        },
      ),
    );
  });

  it('begin with frj_ for joining and fra_ for the API', () => {
    expect(newToken('join', fingerprint, randomBytes)).to.match(/^frj_.{43}_.{43}$/);
    expect(newToken('api', fingerprint, randomBytes)).to.match(/^fra_.{43}_.{43}$/);
  });

  it('have a hash that does not depend on white space around them', () => {
    const token = newToken('api', fingerprint, randomBytes);
    expect(tokenHash(`${token}\n`))
      .to.equal(tokenHash(token))
      .and.to.match(/^[0-9a-f]{64}$/);
  });

  const damaged: [string, string, RegExp][] = [
    ['nothing', '  ', /empty/],
    ['another kind of token', 'ghp_abcdefghijklmnop', /no token of fraisier/],
    ['one that is cut short', `frj_${'a'.repeat(20)}`, /cut short: it has 24 characters/],
    ['one broken over two lines', `frj_${'a'.repeat(43)}\n_${'b'.repeat(43)}`, /whole and on one line/],
  ];
  for (const [title, text, message] of damaged) {
    it(`refuse ${title}, without quoting it`, () => {
      expect(() => parseToken(text))
        .to.throw(FraisierError, message)
        .with.nested.property('reason.code', 'token_invalid');
    });
  }
});
