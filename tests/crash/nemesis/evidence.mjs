// What worlds of kills and pauses amount to: figures of a history, and the promises that they are evidence for.

/** How often what happened in one world. */
export function figuresOf(history) {
  const count = (kind, fits = () => true) => history.filter((event) => event.kind === kind && fits(event)).length
  const repeated = (kind, name) => count(kind) - new Set(history.filter((event) => event.kind === kind).map(name)).size
  const opened = new Set(history.filter(({ kind }) => kind === 'opened').map(({ by }) => by))
  return {
    kills: count('killed'),
    'kills of the owner': count('killed', ({ target }) => opened.has(target)),
    pauses: count('paused'),
    'pauses of the owner': count('paused', ({ target }) => opened.has(target)),
    owners: opened.size,
    messages: count('receipt'),
    duplicates: count('receipt', ({ status }) => status === 'duplicate'),
    deliveries: count('started'),
    redeliveries: repeated('started', ({ queue, id }) => `${queue}/${id}`),
    'steps begun': count('began'),
    'steps repeated': repeated('began', ({ queue, id, step }) => `${queue}/${id}/${step}`),
    effects: count('effect', ({ seen }) => seen === 'new'),
    'settlements refused': count('refused'),
  }
}

/** The promises that worlds of kills and pauses are evidence for: counted by which figure, and which violations break them. */
const PROMISES = [
  {
    promise: 'process-kill',
    counted: 'kills',
    how: 'Producers and the owner of the box were killed with SIGKILL, while they worked, while they recovered and while they were paused; the whole history was checked for lost, unexpected, repeated and reordered deliveries.',
    broken: /./,
  },
  {
    promise: 'paused-consumer',
    counted: 'pauses',
    how: 'Producers, the owner of the box and the service that it calls were stopped with SIGSTOP for up to half a second; the same history was checked.',
    broken: /./,
  },
  {
    promise: 'lost-lease',
    counted: 'settlements refused',
    how: 'Consumers whose lease had run out, for they or the service that they call had stood still or were slow, settled or recorded a step, and were refused; no message was settled twice or with a stale token.',
    broken: /settled|stale|token/,
  },
  {
    promise: 'two-openers',
    counted: 'owners',
    how: 'Two processes wanted the box all the time, on either engine; each takeover came behind the end of the owner before.',
    broken: /two owners/,
  },
  {
    promise: 'duplicate-enqueue',
    counted: 'duplicates',
    how: 'Producers that had not heard of a receipt enqueued the same id again, and were told that it is a duplicate; it was not delivered again after its end.',
    broken: /came back|doubled/,
  },
  {
    promise: 'exactly-once-steps',
    counted: 'steps repeated',
    how: 'Steps called a service while their process was killed and paused, and ran again: each of them had been cut off before it was recorded, and the service saw one key for each; none that was recorded ran again.',
    broken: /step|effect|key/,
  },
]

/**
 * Tells a tier what all worlds together have shown.
 * @param {import('../../support/tier.mjs').Tier} tier
 * @param {{ figures: Record<string, number>, violations: string[] }[]} verdicts
 */
export function report(tier, verdicts) {
  const figures = {}
  for (const verdict of verdicts) {
    for (const [name, value] of Object.entries(verdict.figures)) figures[name] = (figures[name] ?? 0) + value
  }
  for (const [name, value] of Object.entries(figures)) tier.figure(name, value)
  const violations = verdicts.flatMap((verdict) => verdict.violations)
  for (const { promise, counted, how, broken } of PROMISES) {
    tier.proves(promise, how, figures[counted], violations.filter((violation) => broken.test(violation)).length)
  }
}
