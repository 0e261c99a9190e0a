// What the page shows of the service, as the service tells it: the other side of the outbox, which knows nothing of it.

import { element, listIn, write } from './list.js'

const find = (id) => document.getElementById(id)
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

const show = listIn(
  find('taken'),
  ({ tea, packs, takenAt }) => element('li', '', '', [
    element('span', 'what', `${packs} × ${tea}`),
    element('span', 'how', time.format(takenAt)),
    element('span', 'badge'),
  ]),
  (entry, { requests }) => {
    const badge = entry.querySelector('.badge')
    badge.dataset.state = 'taken'
    write(badge, requests > 1 ? `asked ${requests} times, taken once` : 'taken once')
  },
)

/** Asks the service what it has; never throws. */
export async function showService() {
  try {
    const response = await fetch('/orders')
    const { mood, requests, count, taken } = await response.json()
    find('mood').elements.mood.value = mood
    write(find('requests'), String(requests))
    write(find('count'), String(count))
    show(taken)
    find('service-away').hidden = true
  } catch {
    find('service-away').hidden = false
  }
}

find('mood').addEventListener('change', async ({ target }) => {
  await fetch('/mood', { method: 'PUT', body: target.value }).catch(() => {})
  await showService()
})
