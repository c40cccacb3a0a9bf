import type { Cluster } from './cluster.js';
import type { ControllerProcess } from './controller-process.js';
import { isOutage, Outage } from './outage.js';
import type { Random } from './random.js';
import type { Schedule } from './schedule.js';

/** Asked of one controller; answers in a word. */
export type Act = (controller: ControllerProcess) => Promise<string>;

export interface Callers {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly cluster: Cluster;
}

/** Asks any controller, and after an outage another one, so many times: whether it was done the first time is not known. */
export async function askControllers(callers: Callers, act: Act, times: number): Promise<string> {
  const { random } = callers;
  try {
    await pass(callers, random.whole(1, 50));
    return await askOne(random.pick([...callers.cluster.controllers.values()]), act);
  } catch (error) {
    if (!isOutage(error) || times <= 1) throw error;
    await pass(callers, random.whole(1_000, 15_000));
    return askControllers(callers, act, times - 1);
  }
}

function askOne(controller: ControllerProcess, act: Act): Promise<string> {
  const { life, name } = controller;
  if (!life.alive) throw new Outage(`${name} refuses connections`, 'ECONNREFUSED');
  return new Promise((resolve, reject) => {
    const stopListening = life.onEnd(() => reject(new Outage(`${name} died`)));
    act(controller).then(resolve, reject).finally(stopListening);
  });
}

function pass({ schedule }: Callers, ms: number): Promise<void> {
  return new Promise((resolve) => {
    schedule.after(ms, resolve);
  });
}
