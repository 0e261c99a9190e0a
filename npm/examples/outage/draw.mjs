// What `simulate.mjs` measured, as a picture: plain SVG, readable on light and on dark pages.

import { ARRIVALS_PER_SECOND, BREAKER, CONCURRENCY, LENGTH_MS, OUTAGE } from './simulate.mjs'

const WIDTH = 860
const LEFT = 64
const RIGHT = 20
const PLOT = WIDTH - LEFT - RIGHT
const SECONDS = LENGTH_MS / 1_000

/** Colours that people tell apart who see red and green alike; lines differ by dashes too. */
const STYLE = `
  svg { --page: #ffffff; --ink: #1f2328; --faint: #d1d9e0; --outage: #f6e3da; --with: #0969da; --without: #bc4c00; --closed: #9fd8b8; --open: #f0a58f; --half: #f2d675; --label: #1f2328 }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #e6edf3; --faint: #3d444d; --outage: #35221b; --with: #58a6ff; --without: #f0883e; --closed: #2e7d55; --open: #a8452c; --half: #8a6d0b; --label: #ffffff }
  }
  text { font: 13px system-ui, 'Segoe UI', sans-serif; fill: var(--ink) }
  .title { font-weight: 600 }
  .small { font-size: 11px }
  .middle { text-anchor: middle }
  .end { text-anchor: end }
  .grid { stroke: var(--faint); stroke-width: 1 }
  .outage { fill: var(--outage) }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .with { stroke: var(--with) }
  .without { stroke: var(--without); stroke-dasharray: 6 3 }
  .closed { fill: var(--closed) }
  .open { fill: var(--open) }
  .half-open { fill: var(--half) }
  .state { fill: var(--label) }
`

/** The picture of two runs. */
export function draw({ without, with: guarded }) {
  const top = 92
  const panels = [
    lines({ y: top, height: 190, title: 'Messages handled per second', without: without.handled, guarded: guarded.handled }),
    lines({ y: top + 246, height: 130, title: 'Attempts per second at the service that is down', without: without.attempts, guarded: guarded.attempts }),
    states({ y: top + 432, height: 30, title: 'Its circuit: open, with one probe (half-open) after each cooldown', changes: guarded.states }),
    timeAxis(top + 470),
  ]
  const height = top + 520
  const about = `${ARRIVALS_PER_SECOND} messages a second to each of two services, ${CONCURRENCY} handlers at once. One service is down from second ${OUTAGE.from / 1_000} to ${OUTAGE.to / 1_000}.`
  const summary = `Dead letters in the end: ${without.deadLetters} without the breaker, ${guarded.deadLetters} with it.`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title about">`,
    '<title id="title">An outage with and without a circuit breaker</title>',
    `<desc id="about">${about} ${summary}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" style="fill: var(--page)"/>`,
    text(LEFT, 24, `${about}`),
    legend(LEFT, 48, 'with', `with breaker (failures: ${BREAKER.failures}, cooldownMs: ${BREAKER.cooldownMs.toLocaleString('en')}): ${guarded.deadLetters} dead letters`),
    legend(LEFT + 430, 48, 'without', `without: ${without.deadLetters} dead letters`),
    ...panels.flat(),
    '</svg>',
    '',
  ].join('\n')
}

/** Two lines over one scale. */
function lines({ y, height, title, without, guarded }) {
  const most = niceCeiling(Math.max(...without, ...guarded))
  const at = (value) => y + height - (value / most) * height
  const ticks = [0, most / 2, most]
  return [
    outage(y, height),
    ...ticks.flatMap((tick) => [
      `<line class="grid" x1="${LEFT}" y1="${round(at(tick))}" x2="${LEFT + PLOT}" y2="${round(at(tick))}"/>`,
      text(LEFT - 8, at(tick) + 4, `${tick}/s`, 'small end'),
    ]),
    text(LEFT, y - 8, title, 'title'),
    path(without, at, 'without'),
    path(guarded, at, 'with'),
  ]
}

/** One step a second: a second has one number, and nothing is between two of them. */
function path(series, at, name) {
  const points = series.flatMap((value, second) => [`${round(x(second))},${round(at(value))}`, `${round(x(second + 1))},${round(at(value))}`])
  return `<polyline class="line ${name}" points="${points.join(' ')}"/>`
}

/** A band that changes its colour, named where there is room. */
function states({ y, height, title, changes }) {
  const entered = [{ at: 0, to: 'closed' }, ...changes]
  const spans = entered.map(({ at, to }, index) => ({ to, from: at / 1_000, until: (entered[index + 1]?.at ?? LENGTH_MS) / 1_000 }))
  return [
    text(LEFT, y - 8, title, 'title'),
    ...spans.filter(({ from, until }) => until > from).flatMap(({ to, from, until }) => {
      const width = x(until) - x(from)
      const label = width > to.length * 7 ? [text(x(from) + width / 2, y + height / 2 + 4, to, 'small middle state')] : []
      return [`<rect class="${to}" x="${round(x(from))}" y="${y}" width="${round(width)}" height="${height}"><title>${to}: second ${from} to ${until}</title></rect>`, ...label]
    }),
  ]
}

function timeAxis(y) {
  const ticks = Array.from({ length: Math.floor(SECONDS / 20) + 1 }, (_, index) => index * 20)
  return [
    ...ticks.flatMap((second) => [
      `<line class="grid" x1="${round(x(second))}" y1="${y}" x2="${round(x(second))}" y2="${y + 5}"/>`,
      text(x(second), y + 19, `${second}`, 'small middle'),
    ]),
    text(LEFT + PLOT / 2, y + 38, 'seconds', 'small middle'),
  ]
}

function outage(y, height) {
  const [from, to] = [x(OUTAGE.from / 1_000), x(OUTAGE.to / 1_000)]
  return [
    `<rect class="outage" x="${round(from)}" y="${y}" width="${round(to - from)}" height="${height}"/>`,
    text((from + to) / 2, y + 14, 'outage', 'small middle'),
  ].join('\n')
}

function legend(left, y, name, words) {
  return `<line class="line ${name}" x1="${left}" y1="${y - 4}" x2="${left + 28}" y2="${y - 4}"/>\n${text(left + 36, y, words)}`
}

function text(left, y, words, names = '') {
  const named = names === '' ? '' : ` class="${names}"`
  return `<text${named} x="${round(left)}" y="${round(y)}">${words}</text>`
}

function x(second) {
  return LEFT + (second / SECONDS) * PLOT
}

/** Up to the next 1, 2 or 5 of its magnitude, and even. */
function niceCeiling(value) {
  const magnitude = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 4, 6, 8, 10].map((step) => step * magnitude).find((step) => step >= value)
}

function round(number) {
  return Math.round(number * 10) / 10
}
