// Judges a history of killed and paused processes: what was lost, unexpected, doubled or out of order in it.
//
// Pure: a history and what each queue promises in, violations out, one line each. Nothing is excused that does not have its
// reason in the history: a second delivery needs an owner that died, a handler that threw, or a lease that ran out.

/** By how much the clock of the history and the one of the box may differ over a lease. */
const CLOCK_MS = 2

/**
 * What a queue promises.
 * @typedef {object} Promised
 * @property {'at-least-once' | 'at-most-once' | 'exactly-once'} guarantee
 * @property {number} [leaseMs] of deliveries that nobody extends; without it leases are extended while their handler runs
 * @property {boolean} [deathsAreFree] an attempt that its owner's end cut off is not counted
 * @property {number} [concurrency] deliveries of one owner at once, for what at-most-once may lose
 */

/**
 * Each violation as a line that begins with its kind.
 * @param {readonly object[]} events in the order of time, as `readHistory` gives them
 * @param {Record<string, Promised>} queues by name
 * @returns {string[]}
 */
export function findViolations(events, queues) {
  const messages = messagesOf(events)
  const lives = livesOf(events)
  const each = [...messages.values()].flatMap((message) => {
    const rules = [admission, ending, deliveries, attempts, settlements, steps, effects]
    return rules.flatMap((rule) => rule(message, queues[message.queue], lives).map((what) => `${what}: ${message.queue}/${message.id}`))
  })
  return [...each, ...groups(messages.values()), ...owners(events, lives), ...givenUp(messages.values(), queues, lives)]
}

/** All events of each message, by queue and id. */
function messagesOf(events) {
  const messages = new Map()
  for (const event of events) {
    if (event.id === undefined) continue
    const name = `${event.queue}/${event.id}`
    if (!messages.has(name)) messages.set(name, { queue: event.queue, id: event.id, events: [] })
    messages.get(name).events.push(event)
  }
  for (const message of messages.values()) message.of = (kind) => message.events.filter((event) => event.kind === kind)
  return messages
}

/** When each owner opened the box, was killed (the moment before the signal) and was gone. */
function livesOf(events) {
  const lives = new Map()
  const life = (name) => lives.get(name) ?? lives.set(name, { openedAt: Infinity, killedAt: Infinity, diedAt: Infinity }).get(name)
  for (const { at, by, kind, target } of events) {
    if (kind === 'opened') life(by).openedAt = at
    if (kind === 'closed') life(by).diedAt = Math.min(life(by).diedAt, at)
    if (kind === 'killed') life(target).killedAt = Math.min(life(target).killedAt, at)
    if (kind === 'died') life(target).diedAt = Math.min(life(target).diedAt, at)
  }
  return lives
}

/** Only what somebody enqueued is delivered, with the bytes that it had. */
function admission({ of, events }) {
  const [invoked] = of('invoked')
  const early = events.filter(({ kind, at }) => kind !== 'found' && !(at >= invoked?.at))
  const damaged = of('started').filter(({ intact }) => intact !== 'true')
  return [...early.slice(0, 1).map(({ kind }) => `unexpected ${kind}`), ...damaged.slice(0, 1).map(() => 'damaged body')]
}

/** What was accepted has ended as it should. */
function ending({ of }, { guarantee }) {
  const [found] = of('found')
  const state = found?.state ?? 'unknown'
  if (state === 'unknown') return of('receipt').length > 0 ? ['lost'] : []
  if (state !== 'completed' && state !== 'dead') return [`left ${state}`]
  if (guarantee === 'at-most-once') return []
  if (state === 'dead') return of('failed').length === 0 ? ['dead without a failure'] : []
  if (of('handled').length === 0) return ['completed without being handled']
  return found.intact === 'true' ? [] : ['another result than was given']
}

/** A delivery follows another one of the same message only for a reason, and none follows the end. */
function deliveries({ of, events }, promise, lives) {
  const started = of('started')
  // Its end comes before its delivery.
  if (promise.guarantee === 'at-most-once') return started.length > 1 ? ['delivered twice, at most once'] : []
  const wrongs = []
  const end = Math.min(...[...of('settled'), ...of('acked'), ...of('dead')].map(({ at }) => at))
  if (started.some(({ at }) => at > end)) wrongs.push('came back after its end')
  for (const [index, next] of started.entries()) {
    const last = started[index - 1]
    if (last !== undefined && !isOver(last, next, events, promise, lives)) wrongs.push('delivered again without a reason')
    if (last !== undefined && next.token <= last.token) wrongs.push('a token that does not grow')
  }
  return wrongs
}

function isOver(last, next, events, { leaseMs }, lives) {
  if (last.by !== next.by && lives.get(last.by).killedAt <= next.at) return true
  if (events.some(({ kind, token, at }) => kind === 'failed' && token === last.token && at <= next.at)) return true
  return leaseMs !== undefined && next.at - last.since >= (leaseMs - CLOCK_MS) * 1e6
}

/**
 * Attempts grow, by one for each delivery; only owners that died and leases that ran out may have had one that nobody saw, and
 * where deaths are free, the attempt that one cut off comes again.
 */
function attempts({ of }, { leaseMs = Infinity, deathsAreFree = false }, lives) {
  const wrongs = []
  let last = { attempt: 0, at: of('invoked')[0]?.at ?? 0 }
  for (const next of of('started')) {
    const deaths = [...lives.values()].filter(({ openedAt, killedAt, diedAt }) => openedAt < Infinity && killedAt <= next.at && diedAt >= last.at)
    const lapses = Math.floor((next.at - last.at) / 1e6 / leaseMs)
    const isRepeated = deathsAreFree && deaths.length > 0 && last.attempt > 0
    if (next.attempt < last.attempt + (isRepeated ? 0 : 1) || next.attempt > last.attempt + 1 + deaths.length + lapses) {
      wrongs.push(`attempt ${next.attempt} behind attempt ${last.attempt} and ${deaths.length} deaths`)
    }
    last = next
  }
  return wrongs
}

/** One delivery settles a message, and none that another one has followed. */
function settlements({ of }) {
  const wrongs = []
  const acked = of('acked')
  if (acked.length > 1) wrongs.push('settled twice')
  for (const { at, token } of acked) {
    if (of('started').some((other) => other.token > token && other.at < at)) wrongs.push('settled with a stale token')
  }
  return wrongs
}

/** A recorded step never runs again; another one only if it failed, was refused or died with its owner. */
function steps({ of, events }, promise, lives) {
  const wrongs = []
  for (const began of stepsOf(of('began'))) {
    const { step } = began[0]
    const recorded = events.filter((event) => event.kind === 'recorded' && event.step === step)
    for (const [index, next] of began.entries()) {
      const last = began[index - 1]
      if (recorded.some(({ at }) => at < next.at)) wrongs.push(`recorded step '${step}' ran again`)
      else if (last !== undefined && !isCutOff(last, next, events, promise, lives)) wrongs.push(`step '${step}' ran again without a reason`)
    }
  }
  return wrongs
}

function isCutOff(last, next, events, { leaseMs }, lives) {
  if (last.by !== next.by) return lives.get(last.by).killedAt <= next.at
  // A delivery whose lease ran out may still be at its step when the next one begins with it.
  if (leaseMs !== undefined && next.token > last.token) return true
  return events.some(({ kind, step, token, at }) => kind === 'unrecorded' && step === last.step && token === last.token && at <= next.at)
}

function stepsOf(events) {
  const steps = new Map()
  for (const event of events) steps.set(event.step, [...(steps.get(event.step) ?? []), event])
  return [...steps.values()]
}

/** What the service did for a message: once for each step, under one key, and never less than was recorded. */
function effects({ of }) {
  const wrongs = []
  const done = new Map(stepsOf(of('effect')).map((calls) => [calls[0].step, calls]))
  for (const [step, calls] of done) {
    if (calls.filter(({ seen }) => seen === 'new').length > 1) wrongs.push(`effect '${step}' doubled`)
    if (new Set(calls.map(({ key }) => key)).size > 1) wrongs.push(`another key for '${step}'`)
  }
  for (const { step } of of('recorded')) if (!done.has(step)) wrongs.push(`step '${step}' recorded without its effect`)
  return wrongs
}

/** Of two messages of a group, the one that was accepted before the other was enqueued ends before the other starts. */
function groups(messages) {
  const byGroup = new Map()
  for (const message of messages) {
    const invoked = message.of('invoked')[0]
    if (invoked === undefined || invoked.group === '-') continue
    const group = `${message.queue}/${invoked.group}`
    if (!byGroup.has(group)) byGroup.set(group, [])
    byGroup.get(group).push(placeOf(message, invoked))
  }
  return [...byGroup].flatMap(([group, members]) => overtakings(members).map((id) => `reordered in ${group}: ${id}`))
}

function placeOf(message, invoked) {
  const times = (kinds) => message.events.filter(({ kind }) => kinds.includes(kind)).map(({ at }) => at)
  return {
    id: message.id,
    invokedAt: invoked.at,
    acceptedAt: Math.min(...times(['receipt'])),
    startedAt: Math.min(...times(['started'])),
    // The last sign of life: whatever a delivery did after a successor had started was too late.
    endedAt: Math.max(...times(['started', 'handled', 'failed'])),
  }
}

function overtakings(members) {
  const accepted = members.filter(({ acceptedAt }) => acceptedAt < Infinity).sort((a, b) => a.acceptedAt - b.acceptedAt)
  const wrongs = []
  let before = 0
  let lastEnd = -Infinity
  for (const { id, invokedAt, startedAt } of members.sort((a, b) => a.invokedAt - b.invokedAt)) {
    for (; before < accepted.length && accepted[before].acceptedAt < invokedAt; before += 1) {
      const { startedAt: began, endedAt } = accepted[before]
      lastEnd = Math.max(lastEnd, began === Infinity ? Infinity : endedAt)
    }
    if (startedAt < lastEnd) wrongs.push(id)
  }
  return wrongs
}

/** A box has one owner: nobody opens it before the one before is killed or has closed it. */
function owners(events, lives) {
  const wrongs = []
  let owner
  for (const { at, by, kind } of events) {
    if (kind !== 'opened') continue
    const { killedAt, diedAt } = lives.get(owner) ?? { killedAt: 0, diedAt: 0 }
    if (Math.min(killedAt, diedAt) > at) wrongs.push(`two owners: ${owner} and ${by}`)
    owner = by
  }
  return wrongs
}

/** At most once may lose what was handed over when its owner died, and nothing else. */
function givenUp(messages, queues, lives) {
  const deaths = [...lives.values()].filter(({ openedAt, killedAt }) => openedAt < Infinity && killedAt < Infinity).length
  const gone = new Map()
  for (const { queue, of } of messages) {
    if (queues[queue].guarantee !== 'at-most-once' || of('receipt').length === 0 || of('started').length > 0) continue
    gone.set(queue, (gone.get(queue) ?? 0) + 1)
  }
  return [...gone].flatMap(([queue, count]) => {
    const most = deaths * (queues[queue].concurrency ?? 1)
    return count > most ? [`lost more than was in flight at ${deaths} deaths: ${count} of ${queue}`] : []
  })
}
