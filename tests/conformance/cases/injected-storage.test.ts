/** The storage that the other cases inject keeps the contract, so what they show is about the box. */
import { storageSuite } from 'ackbox/testing'
import { describe, test } from 'vitest'

import { InjectedStorage } from '../support/injected-storage.ts'

describe('InjectedStorage', () => {
  storageSuite({ test, create: () => new InjectedStorage(), reopen: (storage) => storage })
})
