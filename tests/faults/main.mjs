// The tier of faults: the real addon on the real file storage, while calls to the operating system fail. Each call in turn, by
// a library in front of the C library; and all that want room, by file systems that fill up.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { folderInMemory, hasPrivateMounts, rerunWithPrivateMounts, whyNoMounts } from '../support/mounts.mjs'
import { Tier } from '../support/tier.mjs'
import { checkCalls } from './calls.mjs'
import { checkFullDisks } from './full-disks.mjs'

const why = whyNoMounts()
if (why === undefined && !hasPrivateMounts()) await rerunWithPrivateMounts()
else await run()

async function run() {
  const tier = new Tier()
  const folder = why === undefined ? folderInMemory() : temporaryFolder()
  await checkCalls(tier, folder)
  await checkFullDisks(tier, folder, why)
  tier.finish()
}

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ackbox-faults-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  return folder
}
