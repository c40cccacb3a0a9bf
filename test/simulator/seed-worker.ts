import { parentPort } from 'node:worker_threads';
import { simulate } from './simulate.js';

/** Stacks cost much and belong to no story; `--trace` shows them. */
Error.stackTraceLimit = 0;

const parent = parentPort;
parent?.on('message', (seed: number) => {
  void simulate(seed).then((outcome) => parent.postMessage(outcome));
});
