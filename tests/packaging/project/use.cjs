// What a user's CommonJS module does first: require, open, enqueue, dequeue, close.
const { memoryStorage, open } = require('ackbox')
const { fileStorage } = require('ackbox/file')

async function main() {
  const box = await open(fileStorage({ directory: './require-data' }))
  const orders = box.queue('orders')
  await orders.enqueue({ id: 'o-1' })
  const message = await orders.dequeue()
  console.log(`handled ${message.body.id}`)
  await message.ack()
  await box.close()
  await (await open(memoryStorage())).close()
  console.log(box.engine)
}
main()
