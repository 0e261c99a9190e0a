// What a user's ES module does first: import, open, enqueue, process, close.
import { AckboxError, memoryStorage, open } from 'ackbox'
import { fileStorage } from 'ackbox/file'
import { manualClock } from 'ackbox/testing'

const box = await open(fileStorage({ directory: './import-data' }))
const orders = box.queue('orders')
const completed = new Promise((resolve) => orders.on('completed', resolve))
orders.process(({ body }) => console.log(`handled ${body.id}`))
await orders.enqueue({ id: 'o-1' })
await completed
await box.close()
await orders.enqueue({ id: 'o-2' }).catch((error) => console.log(AckboxError.is(error, 'ERR_CLOSED')))
await (await open(memoryStorage(), { clock: manualClock() })).close()
console.log(box.engine)
