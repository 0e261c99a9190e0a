/** What each page, worker and service worker of the tests does: a box in a database, from end to end, that sends what it has. */
export async function work({ open, indexedDbStorage, httpSender }, name, options) {
  const box = await open(indexedDbStorage({ name }), options)
  const queue = box.queue('orders')
  await queue.enqueueMany([{ body: 'one' }, { body: 'two' }])
  const sent = []
  const fetch = async (_, { body }) => {
    sent.push(JSON.parse(body))
    return new Response()
  }
  const { completed, remaining } = await queue.drain(httpSender({ url: 'https://service.test/orders', fetch }))
  const { engine } = box
  await box.close()
  return { engine, sent, completed, remaining }
}
