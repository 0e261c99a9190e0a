/** The checks of the demo find each kind of wrong in records that hold it, and nothing in records that are right. */
import { describe, expect, it } from 'vitest'

interface Order {
  id: string
  sku: string
  quantity: number
  cents: number
}

interface Records {
  orders: Map<string, Order>
  receipts: Set<string>
  journal: { completed: string[]; unfinished: string[]; missing: string[]; dead: { id: string; reason: string }[] }
  books: {
    charges: { order: string; cents: number }[]
    shipments: { order: string; sku: string; quantity: number }[]
    lateCalls: { order: string; name: string }[]
    refusals: Set<string>
    answeredInLife: { order: string }[]
    answeredBeforeKill: { order: string }[]
  }
  excuses: number
}

const EXAMPLE = new URL('../../npm/examples/order-processing/', import.meta.url)
const { findWrongs, findRefunds } = (await import(new URL('checks.mjs', EXAMPLE).href)) as {
  findWrongs(records: Records): [string, string[]][]
  findRefunds(records: Records): string[]
}

/** Three orders: `a` and `b` are completed, `c` is dead. */
function soundRecords(): Records {
  const orders = ['a', 'b', 'c'].map((id, index) => ({ id, sku: `sku-${id}`, quantity: index + 1, cents: 100 * (index + 1) }))
  return {
    orders: new Map(orders.map((order) => [order.id, order])),
    receipts: new Set(['a', 'b', 'c']),
    journal: { completed: ['a', 'b'], unfinished: [], missing: [], dead: [{ id: 'c', reason: 'permanent' }] },
    books: {
      charges: [
        { order: 'a', cents: 100 },
        { order: 'b', cents: 200 },
      ],
      shipments: [
        { order: 'a', sku: 'sku-a', quantity: 1 },
        { order: 'b', sku: 'sku-b', quantity: 2 },
      ],
      lateCalls: [],
      refusals: new Set(['c']),
      answeredInLife: [],
      answeredBeforeKill: [{ order: 'a' }],
    },
    excuses: 1,
  }
}

/** What is wrong, by name; names without any order are left out. */
function wrongsOf(records: Records): Record<string, string[]> {
  return Object.fromEntries(findWrongs(records).filter(([, ids]) => ids.length > 0))
}

it('nothing is wrong with records that are right', () => {
  expect(wrongsOf(soundRecords())).toEqual({})
})

describe('is found:', () => {
  it.each<[string, (records: Records) => void, Record<string, string[]>]>([
    ['an order without a receipt', ({ receipts }) => receipts.delete('c'), { 'never accepted': ['c'] }],
    ['a receipt that the journal does not know', ({ journal }) => journal.missing.push('d'), { lost: ['d'] }],
    ['an order that is never finished', ({ journal }) => journal.unfinished.push('d'), { lost: ['d'] }],
    [
      'a completed order that was neither charged nor shipped',
      ({ journal }) => journal.completed.push('d'),
      { lost: ['d'] },
    ],
    ['a completed order that was not shipped', ({ books }) => void books.shipments.pop(), { lost: ['b'] }],
    [
      'a completed order that was shipped and not charged',
      ({ books }) => void books.charges.pop(),
      { lost: ['b'], 'shipped without payment': ['b'] },
    ],
    [
      'a second charge',
      ({ books }) => books.charges.push({ order: 'a', cents: 100 }),
      { 'charged twice': ['a'] },
    ],
    [
      'a second charge of a dead letter',
      ({ books }) => books.charges.push({ order: 'c', cents: 300 }, { order: 'c', cents: 300 }),
      { 'charged twice': ['c'] },
    ],
    ['a wrong amount', ({ books }) => (books.charges[0]!.cents = 101), { 'charged a wrong amount': ['a'] }],
    [
      'a charge for what nobody ordered',
      ({ books }) => books.charges.push({ order: 'x', cents: 1 }),
      { 'charged a wrong amount': ['x'] },
    ],
    [
      'a second shipment',
      ({ books }) => books.shipments.push({ order: 'a', sku: 'sku-a', quantity: 1 }),
      { 'shipped twice': ['a'] },
    ],
    [
      'a call whose answer the same life of the service had',
      ({ books }) => books.answeredInLife.push({ order: 'b' }),
      { 'a step called again after its record': ['b'] },
    ],
    [
      'more repetitions than kills explain',
      ({ books }) => books.answeredBeforeKill.push({ order: 'b' }),
      { 'more steps called again than kills explain': ['b'] },
    ],
    [
      'a dead letter that nobody refused',
      ({ books }) => books.refusals.delete('c'),
      { 'dead though nobody refused it': ['c'] },
    ],
    [
      'a payment call after a shipment call',
      ({ books }) => books.lateCalls.push({ order: 'a', name: 'payments' }),
      { 'a step called again after its record': ['a'] },
    ],
    ['a wrong quantity', ({ books }) => (books.shipments[0]!.quantity = 2), { 'shipped something else': ['a'] }],
    ['another article', ({ books }) => (books.shipments[0]!.sku = 'sku-b'), { 'shipped something else': ['a'] }],
    [
      'a shipment of nothing',
      ({ orders, books }) => {
        orders.get('a')!.quantity = 0
        books.shipments[0]!.quantity = 0
      },
      { 'shipped something else': ['a'] },
    ],
    [
      'a shipment that nobody ordered or paid',
      ({ books }) => books.shipments.push({ order: 'x', sku: 'sku-a', quantity: 1 }),
      { 'shipped something else': ['x'], 'shipped without payment': ['x'] },
    ],
  ])('%s', (_, spoil, wrongs) => {
    const records = soundRecords()
    spoil(records)
    expect(wrongsOf(records)).toEqual(wrongs)
  })
})

it('a dead letter that was charged and not shipped is to be refunded, and nothing else is', () => {
  const records = soundRecords()
  expect(findRefunds(records)).toEqual([])
  records.books.charges.push({ order: 'c', cents: 300 })
  expect(findRefunds(records)).toEqual(['c'])
  expect(wrongsOf(records)).toEqual({})
  records.books.shipments.push({ order: 'c', sku: 'sku-c', quantity: 3 })
  expect(findRefunds(records)).toEqual([])
})
