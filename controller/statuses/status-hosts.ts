import type { Provider } from '../fraises/fraises.js';
import { bitbucket } from './bitbucket.js';
import type { StatusHost } from './commit-status.js';
import { gitea } from './gitea.js';
import { github } from './github.js';
import { gitlab } from './gitlab.js';

export const STATUS_HOSTS: Readonly<Record<Provider, StatusHost>> = { github, gitlab, gitea, bitbucket };
