// The reckoning: what the journal says, checked against the books of the outside world.

import { open } from 'ackbox'
import { findRefunds, findWrongs } from './checks.mjs'
import { CONCURRENCY } from './concurrency.mjs'

/**
 * Opens the journal once more, after the service is gone, and compares order by order.
 * `{ ok, lines }`: whether nothing was lost and nothing charged twice, and the table.
 */
export async function reckon({ journal: folder, shop, books, kills }) {
  const journal = await readJournal(folder, shop.confirmed)
  const wrongs = findWrongs({ orders: shop.orders, receipts: shop.confirmed, journal, books, excuses: kills * CONCURRENCY })
  return {
    ok: wrongs.every(([, ids]) => ids.length === 0),
    lines: [
      ...section('The journal', [
        ['accepted', shop.confirmed.size],
        ['completed', journal.completed.length],
        ['dead-lettered', journal.dead.length],
        ...byReason(journal.dead).map(([reason, count]) => [`  ${reason}`, count]),
      ]),
      ...section('The books of the outside world', [
        ['charges', books.charges.length],
        ['shipments', books.shipments.length],
        ['charged, then dead-lettered: to refund', findRefunds({ journal, books }).length],
      ]),
      ...section('Sent again by the shop, as it got no receipt', [
        ['orders sent again', shop.sentAgain],
        ['  of them accepted before: known by their id', shop.duplicates],
      ]),
      ...section('Cut off between effect and record, made once by their key', [
        ['charges', books.chargesAskedAgain],
        ['shipments', books.shipmentsAskedAgain],
        ['  of both: answered, but killed before the record', books.answeredBeforeKill.length],
      ]),
      ...section('Checked order by order', wrongs.map(([wrong, ids]) => [wrong, ids.length, verdict(ids)])),
    ],
  }
}

/** What became of every order that has a receipt. */
async function readJournal(journal, ids) {
  const box = await open(journal)
  const orders = box.queue('orders')
  const found = { completed: [], dead: [], unfinished: [], missing: [] }
  for (const id of ids) {
    const state = (await orders.get(id))?.state
    if (state === 'completed') found.completed.push(id)
    else if (state === undefined) found.missing.push(id)
    else if (state !== 'dead') found.unfinished.push(id)
  }
  for await (const letter of orders.dead.list()) found.dead.push(letter)
  await box.close()

  const dead = new Set(found.dead.map(({ id }) => id))
  const settled = new Set([...found.completed, ...found.unfinished, ...found.missing])
  found.missing.push(...[...ids].filter((id) => !settled.has(id) && !dead.has(id)))
  return found
}

/** `[['permanent: out of stock', 17], ...]`, the most frequent first. */
function byReason(letters) {
  const counts = new Map()
  for (const { reason, error } of letters) {
    const why = error === undefined ? reason : `${reason}: ${error.message}`
    counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

function verdict(ids) {
  return ids.length === 0 ? 'ok' : `WRONG: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', ...' : ''}`
}

function section(title, rows) {
  const line = ([name, count, note = '']) => `  ${name.padEnd(50)}${count.toLocaleString('en').padStart(8)}  ${note}`.trimEnd()
  return ['', title, ...rows.map(line)]
}
