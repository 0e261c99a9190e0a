/** What each page, worker and service worker of the tests does: a box of the default storage, from end to end. */
export async function work(open, name, options) {
  const box = await open(name, options)
  const queue = box.queue('orders')
  await queue.enqueueMany([{ body: 'one' }, { body: 'two' }])
  const handled = []
  const { completed, remaining } = await queue.drain(({ body }) => void handled.push(body))
  const { engine } = box
  await box.close()
  return { engine, handled, completed, remaining }
}
