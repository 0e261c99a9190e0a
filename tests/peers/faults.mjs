// What is done to every queue, the same to each: a round begins with nothing and ends with what the judge says of it.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { copyAtOnce, discardImage, makeImage, mountImage } from '../power/image.mjs'
import { between } from '../support/seeded.mjs'
import { mount, unmount } from '../support/mounts.mjs'
import { judge } from './judge.mjs'
import { Lives } from './lives.mjs'

/** How many messages there are to handle, where it is about handling. */
const MESSAGES = '60'
/** The service that handlers call is down for so long. */
const OUTAGE_MS = '2500'
const FOR_EVER_MS = '3600000'
/** A disk that fills up, and what it is given then. */
const [SMALL, LARGE] = ['1m', '64m']

/** Each with what the page says of it, whether it mounts something, and its round. */
export const FAULTS = [
  {
    id: 'kill-enqueue',
    fault: 'Killed while it enqueues',
    what: 'A process enqueues ten at a time and is killed; the next one handles what is there.',
    round: killedWhileEnqueueing,
  },
  {
    id: 'kill-handle',
    fault: 'Killed while it handles',
    what: `A process handles ${MESSAGES} messages and is killed in the middle, twice; the next one goes on.`,
    round: killedWhileHandling,
  },
  {
    id: 'power-cut',
    fault: 'Power cut while it enqueues',
    what: 'The queue lies on an ext4 in a file, which is copied as it is while the process stands still; the next process runs on the copy. The file system writes nothing back by itself within a round.',
    mounts: true,
    round: powerCut,
  },
  {
    id: 'full-disk',
    fault: 'Disk full while it enqueues',
    what: 'The queue lies on a file system of 1 MiB until nothing more is accepted; then it gets room, and the next process handles what is there.',
    mounts: true,
    round: fullDisk,
  },
  {
    id: 'outage',
    fault: 'The service fails for 2.5 s',
    what: `A process handles ${MESSAGES} messages; the handler throws until the service is back.`,
    round: outage,
  },
  {
    id: 'outage-kill',
    fault: 'Killed while the service fails',
    what: `A process handles ${MESSAGES} messages, the handler throws, the process is killed; the service is back for the next one.`,
    round: killedInOutage,
  },
]

async function killedWhileEnqueueing(subject, folder, random) {
  const lives = livesIn(subject, folder)
  await lives.killAfter(between(random, 1, 200), random() * 4, 'produce', 'a')
  return consume(lives)
}

async function killedWhileHandling(subject, folder, random) {
  const lives = livesIn(subject, folder)
  await lives.finish('produce', 'a', MESSAGES)
  for (let kill = 0; kill < 2; kill += 1) await lives.killAfter(between(random, 1, 20), random() * 4, 'consume')
  return consume(lives)
}

async function outage(subject, folder) {
  const lives = livesIn(subject, folder)
  await lives.finish('produce', 'a', MESSAGES)
  await lives.finish('consume', OUTAGE_MS)
  return consume(lives)
}

async function killedInOutage(subject, folder, random) {
  const lives = livesIn(subject, folder)
  await lives.finish('produce', 'a', MESSAGES)
  await lives.killAfter(between(random, 1, Number(MESSAGES)), random() * 4, 'consume', FOR_EVER_MS)
  return consume(lives)
}

async function powerCut(subject, folder, random) {
  const [image, copy, place] = ['disk.image', 'cut.image', 'disk'].map((name) => join(folder, name))
  makeImage(image)
  mountImage(image, place, 'ordered')
  const lives = new Lives(subject, place, join(folder, 'said'))
  const life = await lives.until(between(random, 20, 200), 'produce', 'a')
  try {
    for (;;) {
      life.kill('SIGSTOP')
      await pause(1)
      if (copyAtOnce(image, place, copy)) break
      life.kill('SIGCONT')
      await pause(random() * 4)
    }
    life.kill('SIGKILL')
    await life.gone
  } finally {
    discardImage(image, place)
  }
  mountImage(copy, place, 'ordered')
  try {
    return await consume(lives)
  } finally {
    discardImage(copy, place)
  }
}

async function fullDisk(subject, folder) {
  const place = join(folder, 'disk')
  mkdirSync(place)
  mount('-t', 'tmpfs', '-o', `size=${SMALL}`, 'peers-disk', place)
  try {
    const lives = new Lives(subject, place, join(folder, 'said'))
    // More than the disk holds: it ends when it is refused.
    await lives.finish('produce', 'a', '100000')
    mount('-o', `remount,size=${LARGE}`, place)
    return await consume(lives)
  } finally {
    unmount(place)
  }
}

function livesIn(subject, folder) {
  const place = join(folder, 'queue')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  return new Lives(subject, place, join(folder, 'said'))
}

/** Handles everything that is there; what a queue that cannot be opened holds is lost. */
async function consume(lives) {
  const finished = await lives.finish('consume')
  return { ...judge(lives.lines), stuck: finished ? 0 : 1 }
}
