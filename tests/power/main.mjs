// The tier of power cuts: a box on an ext4 in a file, the file copied at random moments while the writer is stopped, each copy
// mounted, opened, and compared with what had been told until then.
import { folderInMemory, hasPrivateMounts, rerunWithPrivateMounts, whyNoMounts } from '../support/mounts.mjs'
import { IS_FULL, Tier } from '../support/tier.mjs'
import { PowerCuts } from './cuts.mjs'
import { isLoss, probeCopies } from './method.mjs'

/** Modes of the file system's journal: data before the metadata that speaks of it, or in any order. */
const DATA_MODES = ['ordered', 'writeback']
/** Disks for each mode, lives on each disk, cuts of each life. */
const [DISKS, LIVES, CUTS] = IS_FULL ? [10, 8, 6] : [2, 5, 4]
/** Cuts of a box that promises less. */
const WEAK_CUTS = IS_FULL ? 40 : 10
/** By luck none of them takes anything: then there are as many again, on so many disks at most. */
const WEAK_DISKS_MAX = 5

const why = whyNoMounts()
if (why !== undefined) skipAll()
else if (!hasPrivateMounts()) await rerunWithPrivateMounts()
else await run()

function skipAll() {
  const tier = new Tier()
  for (const data of DATA_MODES) tier.skip(`power cuts of an ext4 with data=${data}`, why)
  tier.skip('the method of power cuts can fail', why)
  tier.finish()
}

async function run() {
  const tier = new Tier()
  const folder = folderInMemory()
  for (const data of DATA_MODES) await checkMode(tier, folder, data)
  tier.finish()
}

async function checkMode(tier, folder, data) {
  tier.check(`data=${data}: a copy holds what was flushed, and nothing else`, probeCopies(folder, data))
  await checkPromise(tier, folder, data)
  await checkWeakPromise(tier, folder, data)
}

/** What is durable in spite of power cuts must be in every copy. */
async function checkPromise(tier, folder, data) {
  const power = new PowerCuts(folder, { durability: 'power-loss', data })
  for (let disk = 0; disk < DISKS && power.violations.length === 0; disk += 1) await power.chain(LIVES, CUTS)
  tier.check(`data=${data}: ${power.cuts} power cuts take nothing that was reported`, power.violations.flat())
  tier.figure(`power cuts, data=${data} (times)`, power.cuts)
  tier.figure(`power cuts that left the end of a journal torn, data=${data}`, power.torn)
  tier.figure(`reports held against power cuts, data=${data}`, power.reports)
  tier.figure(`copies made anew because the device was written, data=${data} (times)`, power.disturbed)
  const how = `The power of a box on ext4 (data=${data}) was cut at random moments of ${LIVES} lives in a row on each of ${DISKS} disks, by copying the image under the mounted file system while no thread of the writer was in the kernel; each copy was mounted, opened and compared with what had been told.`
  tier.proves('power-loss', how, power.cuts, power.violations.length)
}

/** A box that promises to survive a crash of the process only must lose something: else the method would see nothing. */
async function checkWeakPromise(tier, folder, data) {
  const power = new PowerCuts(folder, { durability: 'process-crash', data })
  for (let disk = 0; disk < WEAK_DISKS_MAX && power.violations.length === 0; disk += 1) await power.chain(1, WEAK_CUTS)
  const losing = power.violations.length
  const worse = power.violations.flat().filter((violation) => !isLoss(violation))
  const problems = losing > 0 ? worse : [`${power.cuts} power cuts took nothing from a box that flushes nothing`]
  tier.check(`data=${data}: a box that does not flush loses reports in ${losing} of ${power.cuts} power cuts, and nothing worse`, problems)
  tier.figure(`power cuts that took reports from a box with durability 'process-crash', data=${data} (of ${power.cuts})`, losing)
}
