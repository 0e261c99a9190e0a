// The page: a form that enqueues, lists that show the queue as it changes, a switch that pauses it.

import { destination, openOutbox } from './outbox.js'
import { element, listIn, write } from './list.js'
import { showService } from './service.js'

const find = (id) => document.getElementById(id)
const say = (text) => write(find('message'), text)
/** For those who do not see the lists. */
const tell = (text) => write(find('news'), text)

navigator.serviceWorker?.register('/service-worker.js', { type: 'module' })
void showService()
const { box, orders, worker } = await openOutbox().catch((error) => {
  find('circuit').dataset.state = 'failed'
  write(find('circuit-text'), error.message)
  throw error
})
box.on('error', ({ message }) => say(`The outbox has ended: ${message}. Load the page again.`))

// -- orders in

find('order').addEventListener('submit', async (event) => {
  event.preventDefault()
  const { tea, packs } = Object.fromEntries(new FormData(event.target))
  const order = { id: crypto.randomUUID(), tea, packs: Number(packs) }
  try {
    await orders.enqueue(order) // resolves when it is on the disk: whatever happens now, it is not lost
    say(`${packs} × ${tea}: kept.`)
  } catch (error) {
    say(`Not kept: ${error.message}`)
  }
})

// -- the outbox, live

const waiting = orders.watch({ states: ['leased', 'ready', 'scheduled'] })
const dead = orders.watch({ states: ['dead'] })

const showWaiting = listIn(
  find('outbox'),
  ({ body }) => element('li', '', '', [
    element('span', 'what', `${body.packs} × ${body.tea}`),
    element('span', 'how'),
    element('span', 'badge'),
  ]),
  (entry, { state, attempt = 0, dueAt }) => {
    const [how, badge] = entry.querySelectorAll('.how, .badge')
    badge.dataset.state = state
    write(badge, { leased: 'sending', ready: 'waiting', scheduled: `again in ${seconds(dueAt)}` }[state])
    write(how, state === 'leased' ? `attempt ${attempt}` : attempt > 0 ? `attempt ${attempt} failed` : '')
  },
)
const inOrderOfPlacing = (a, b) => a.enqueuedAt - b.enqueuedAt

const showDead = listIn(
  find('dead'),
  ({ id, body }) => element('li', '', '', [
    element('span', 'what', `${body.packs} × ${body.tea}`),
    element('span', 'how'),
    button('Send again', body, () => orders.dead.redrive({ ids: [id] })),
    button('Forget', body, () => orders.dead.remove({ ids: [id] })),
  ]),
  (entry, { reason, error }) => write(entry.querySelector('.how'), `${reason}: ${error?.message ?? 'no error'}`),
)

function button(text, { packs, tea }, action) {
  const made = element('button', '', text)
  made.setAttribute('aria-label', `${text}: ${packs} × ${tea}`)
  made.addEventListener('click', action)
  return made
}

find('redrive-all').addEventListener('click', () => orders.dead.redrive())

// -- the switch: a pause of the queue, which is durable, so it holds for the next tab and the service worker too

const offline = find('offline')
offline.addEventListener('change', () => (offline.checked ? orders.pause() : orders.resume()))

// -- what is shown

async function show() {
  showWaiting([...waiting.getSnapshot()].sort(inOrderOfPlacing))
  showDead(dead.getSnapshot())
  find('outbox-empty').hidden = waiting.getSnapshot().length > 0
  find('dead-section').hidden = dead.getSnapshot().length === 0
  offline.checked = (await orders.stats()).paused
  showCircuit()
}

function showCircuit() {
  const { state, retryAt } = worker.circuit(destination)
  const isAway = offline.checked || !navigator.onLine
  find('circuit').dataset.state = isAway ? 'offline' : state
  write(find('circuit-text'), isAway ? 'Offline: orders wait, and lose no attempt' : {
    closed: 'Circuit closed: orders go out at once',
    open: `Circuit open: the service failed, one order tries again in ${seconds(retryAt)}`,
    'half-open': 'Circuit half-open: one order finds out whether the service is back',
  }[state])
}

function seconds(at) {
  return `${Math.max(0, Math.ceil((at - Date.now()) / 1_000))} s`
}

waiting.subscribe(show)
dead.subscribe(show)
for (const event of ['circuit', 'paused', 'resumed']) orders.on(event, show)
for (const event of ['completed', 'retry', 'dead']) orders.on(event, showService)
for (const event of ['online', 'offline']) addEventListener(event, show)
orders.on('drained', () => tell('All orders have arrived.'))
orders.on('dead', () => tell('An order was refused.'))
setInterval(show, 1_000) // the seconds that are told
await show()
