// Outboxes in a browser, as Markdown.

import { count, table, verdict } from './markdown.mjs'
import { ORDER_BYTES } from './orders.mjs'

export function browserSection({ browser, orders, lines }) {
  return [
    '## Outboxes in a browser',
    '',
    `${browser}, headless, in a service worker, each run in a profile of its own on the disk. ${count(orders)} orders of ${ORDER_BYTES} bytes, enqueued one`,
    'at a time (each waits for the one before it) and together, and drained by a handler that does nothing, one at a time and, where that',
    'can be, 20 side by side. Beside a rate: how many times that of workbox in the same round.',
    '',
    'Durability is what transactions asked for. `strict`: flushed to the disk; `relaxed`: given to the operating system; `default`: `relaxed`',
    'since Chromium 121. So `relaxed` is what workbox promises, and `strict` is more. Workbox is spared asking for a sync with each',
    'request, its requests are made before the clock starts, and it takes them off the queue before they are handled. By hand: a row an order,',
    'a transaction for each put and each delete.',
    '',
    table(
      ['', 'enqueue asks', 'drain asks', 'one at a time/s', '', 'together/s', '', 'drain/s', '', 'drain 20/s', '', 'target'],
      lines.map(({ name, asked, perSecond, ratios, target, met }) => [
        name,
        asked.enqueue.join(', '),
        asked.drain.join(', '),
        ...['alone', 'together', 'drain', 'drainMany'].flatMap((task) =>
          task in ratios ? [count(perSecond[task]), `${ratios[task].toFixed(2)} x`] : ['', ''],
        ),
        target === undefined ? '' : `>= ${target} x together: ${verdict(met)}`,
      ]),
    ),
    '',
  ]
}
