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
    steps: count('recorded'),
    'steps repeated': repeated('began', ({ queue, id, step }) => `${queue}/${id}/${step}`),
    effects: count('effect', ({ seen }) => seen === 'new'),
    'settlements refused': count('refused'),
  }
}

/**
 * What all worlds together prove, in the form that `cargo xtask prove` collects.
 * @param {{ figures: Record<string, number>, violations: string[] }[]} verdicts
 */
export function evidenceOf(verdicts) {
  const figures = {}
  for (const verdict of verdicts) {
    for (const [name, value] of Object.entries(verdict.figures)) figures[name] = (figures[name] ?? 0) + value
  }
  figures.violations = verdicts.reduce((sum, { violations }) => sum + violations.length, 0)
  const prove = (promise, runs, how, kinds) => {
    const failures = verdicts.flatMap(({ violations }) => violations).filter((violation) => kinds.test(violation)).length
    return { promise, how, runs: figures[runs], failures }
  }
  return {
    figures,
    proves: [
      prove('process-kill', 'kills', 'Producers and the owner of the box were killed with SIGKILL, while they worked, while they recovered and while they were paused; the whole history was checked for lost, unexpected, repeated and reordered deliveries.', /./),
      prove('paused-consumer', 'pauses', 'Producers, the owner of the box and the service that it calls were stopped with SIGSTOP for up to half a second; the same history was checked.', /./),
      prove('lost-lease', 'settlements refused', 'Consumers that had been paused past their lease settled, or recorded a step, and were refused; no message was settled twice or with a stale token.', /settled|stale|token/),
      prove('two-openers', 'owners', 'Two processes wanted the box all the time, on either engine; each takeover came behind the end of the owner before.', /two owners/),
      prove('duplicate-enqueue', 'duplicates', 'Producers that had not heard of a receipt enqueued the same id again, and were told that it is a duplicate; it was not delivered again after its end.', /came back|doubled/),
      prove('exactly-once-steps', 'steps', 'Steps called a service while their process was killed and paused: none that was recorded ran again, each repetition was one that had been cut off, and the service saw one key for each.', /step|effect|key/),
    ],
  }
}
