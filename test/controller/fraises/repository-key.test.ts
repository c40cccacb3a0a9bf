import { expect } from 'chai';
import fc from 'fast-check';
import { repositoryKey } from '../../../controller/fraises/repository-key.js';

describe('repositoryKey', () => {
  it('is the same for every spelling of one repository', () => {
    for (const spelling of [
      'https://github.com/acme/shop.git',
      'https://github.com/acme/shop',
      'https://github.com/acme/shop/',
      'http://www.github.com/Acme/Shop.git',
      'https://user:password@GitHub.com:443/Acme/Shop.git',
      'ssh://git@github.com/acme/shop.git',
      'ssh://git@ssh.github.com:443/acme/shop.git',
      'git://github.com//acme/shop',
      'git@github.com:acme/shop.git',
      'git@github.com:/acme/shop.git',
      'github.com:acme/shop',
      ' https://github.com/acme/shop.git\n',
    ]) {
      expect(repositoryKey(spelling), spelling).to.equal('github.com/acme/shop');
    }
  });

  it('keeps the case of a path where the host may tell cases apart', () => {
    expect(repositoryKey('https://Git.Example.com/Acme/Shop.git')).to.equal('git.example.com/Acme/Shop');
    expect(repositoryKey('git@gitlab.example.com:Acme/Shop.git')).to.equal('gitlab.example.com/acme/shop');
    expect(repositoryKey('git@notgithub.com:Acme/Shop.git')).to.equal('notgithub.com/Acme/Shop');
  });

  it('takes a folder and its file address for the same', () => {
    for (const spelling of [
      '/srv/git/Shop.git',
      '/srv/git/Shop',
      '/srv//git/Shop/',
      'file:///srv/git/Shop.git',
    ]) {
      expect(repositoryKey(spelling), spelling).to.equal('/srv/git/Shop');
    }
    expect(repositoryKey('/srv/Shop/.git')).to.equal('/srv/Shop');
    expect(repositoryKey('file:///srv/my%20shop.git')).to.equal('/srv/my shop');
    expect(repositoryKey('/')).to.equal('');
  });

  it('tells different repositories apart', () => {
    const keys = [
      'https://github.com/acme/shop',
      'https://github.com/acme/shop2',
      'https://github.com/other/shop',
      'https://gitlab.com/acme/shop',
      'https://github.com.evil.org/acme/shop',
      'https://evil.org/github.com/acme/shop',
      'https://github.com@evil.org/acme/shop',
      '/acme/shop',
    ].map(repositoryKey);
    expect(new Set(keys).size).to.equal(keys.length);
  });

  it('takes whatever a webhook says without throwing', () => {
    expect(repositoryKey('')).to.equal('');
    expect(repositoryKey('https://x.org/%zz.git')).to.equal('x.org/%zz');
    const address = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.string({ unit: fc.constantFrom('/', ':', '@', '.', '%', 'git', '~') }),
    );
    fc.assert(fc.property(address, (url) => typeof repositoryKey(url) === 'string'));
  });
});
