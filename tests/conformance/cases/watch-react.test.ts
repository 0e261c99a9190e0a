/** A list of messages in a page: React's own store hook over `queue.watch`, rendered by react-dom. */
import type { MessageInfo, Queue, Watch } from 'ackbox'
import { Window } from 'happy-dom'
import { act, createElement, StrictMode, useMemo, useSyncExternalStore, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, it, onTestFinished } from 'vitest'

import { makeInMemory } from '../support/boxes.ts'
import { gate, turns } from '../support/clock.ts'

interface Page {
  /** What the page shows. */
  readonly text: string
  /** Lets the box do what it can do now, and the page show it. */
  settle(): Promise<void>
  remove(): Promise<void>
}

/** Renders into a document of its own. */
async function render(node: ReactNode): Promise<Page> {
  const window = new Window()
  const globals = { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true }
  Object.assign(globalThis, globals)
  const container = window.document.createElement('div')
  const root = createRoot(container as never)
  await act(() => root.render(node))
  const remove = (): Promise<void> => act(async () => root.unmount())
  onTestFinished(async () => {
    await remove()
    await window.happyDOM.close()
    for (const name of Object.keys(globals)) Reflect.deleteProperty(globalThis, name)
  })
  return {
    get text() {
      return container.textContent
    },
    settle: () => act(() => turns()),
    remove,
  }
}

let renders = 0
/** Of all components, those included that React made and threw away. */
const watches: Watch<string>[] = []

function Orders({ queue }: { readonly queue: Queue<string> }): ReactNode {
  renders++
  const watch = useMemo(() => queue.watch({ states: ['leased', 'ready'], limit: 3 }), [queue])
  if (!watches.includes(watch)) watches.push(watch)
  const orders = useSyncExternalStore(watch.subscribe, watch.getSnapshot)
  return createElement('ul', null, orders.map((order) => createElement(Order, { key: order.id, order })))
}

const Order = ({ order }: { readonly order: MessageInfo<string> }): ReactNode =>
  createElement('li', null, `${order.body}: ${order.state}; `)

it('a component shows the queue as it is, renders again when that changed, and lets go of it when it is removed [A6 watch]', async () => {
  const { box } = await makeInMemory()
  const queue = box.queue<string>('orders')
  await queue.enqueue('tea')
  const page = await render(createElement(StrictMode, null, createElement(Orders, { queue })))
  await page.settle()
  expect(page.text).toBe('tea: ready; ')

  const slow = gate()
  queue.process(() => slow.promise)
  await queue.enqueueMany([{ body: 'milk' }, { body: 'honey' }])
  await page.settle()
  expect(page.text).toBe('tea: leased; milk: ready; honey: ready; ')

  const before = renders
  await queue.enqueue('a fourth one, which it does not show')
  await queue.enqueue('nor this one', { delayMs: 1_000 })
  await page.settle()
  expect(renders).toBe(before)

  slow.open()
  await act(() => queue.idle())
  await page.settle()
  expect(page.text).toBe('')

  // A watch is kept up to date while anybody subscribes: those of a component that is gone stand still.
  const now = queue.watch({ states: ['ready'] })
  const off = now.subscribe(() => {})
  await queue.pause()
  await queue.enqueue('honey again')
  await page.settle()
  expect(page.text).toBe('honey again: ready; ')
  await page.remove()
  const [after, shown] = [renders, watches.map((watch) => watch.getSnapshot())]
  await queue.enqueue('nobody looks')
  await turns()
  expect(now.getSnapshot().map(({ body }) => body)).toEqual(['honey again', 'nobody looks'])
  expect(watches.map((watch) => watch.getSnapshot())).toEqual(shown)
  expect(renders).toBe(after)
  off()
})
