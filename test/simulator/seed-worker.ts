import { parentPort, workerData } from 'node:worker_threads';
import type { Share } from './simulate-many.js';
import { simulate } from './simulate.js';

/** Stacks cost much and belong to no story; `--trace` shows them. */
Error.stackTraceLimit = 0;

const { seeds } = workerData as Share;
for (const seed of seeds) parentPort?.postMessage(await simulate(seed));
