// The storage suite under Node's own runner, on a storage that is right, or on one that does not cut with the argument
// `broken`. Usage: node --test suite-under-node.mjs, the argument in ACKBOX_SUITE.
import { test } from 'node:test'

import { memoryStorage } from 'ackbox'
import { storageSuite } from 'ackbox/testing'

function create() {
  const storage = memoryStorage()
  if (process.env.ACKBOX_SUITE === 'broken') storage.truncate = async () => {}
  return storage
}

storageSuite({ test, create, reopen: (storage) => storage })
