/** What the contract knows and this version does not do is refused by name, never ignored. */
import { memoryStorage, open } from 'ackbox'
import { it } from 'vitest'

import { refusal } from '../support/errors.ts'

it.each([{ ready: () => true }, { networkMode: 'online' }])(
  'the worker option %j',
  async (options) => {
    const box = await open(memoryStorage())
    const [name] = Object.keys(options)
    await refusal(() => box.queue('jobs').process(() => {}, options as never), 'ERR_UNSUPPORTED', new RegExp(name!))
    await box.close()
  },
)
