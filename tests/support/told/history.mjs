// What a box told a program, and what of it a later opening belies.
//
// A program says what it is about to do before it does it, and what it was told as soon as it was told. So whatever
// a box reported is here, and what is only about to happen may have happened or not.

/** Successes: once a box said that its storage failed, none of them may follow. */
const SUCCESSES = new Set(['accept', 'record', 'complete', 'die', 'cancelled'])

/** The facts about one message. */
class Facts {
  accepted = false
  /** The highest attempt that was started. */
  attempt = 0
  /** Steps whose result was recorded. */
  recorded = new Set()
  /** About to be acknowledged, dead-lettered, withdrawn. */
  handled = false
  spoiled = false
  cancelling = false
  completed = false
  dead = false
  cancelled = false
  /** Enqueued together with this one, or in the commit that acknowledges this one. */
  twin
  heir
}

/** Everything that was said, over any number of lives. */
export class History {
  /** What contradicts itself without any opening. */
  violations = []
  #messages = new Map()
  #failed = false
  #reports = 0

  /** Ids of all messages that were to be enqueued. */
  get ids() {
    return [...this.#messages.keys()]
  }

  /** How many successes were reported. */
  get reports() {
    return this.#reports
  }

  /** Whether the box of this life said that its storage failed. */
  get failed() {
    return this.#failed
  }

  /** A new life begins. */
  begin() {
    this.#failed = false
  }

  /** Those of which nobody knows whether they were accepted. */
  get undecided() {
    return this.ids.filter((id) => !this.#messages.get(id).accepted)
  }

  /** Takes a fact: its kind, the message, and what else there is to it. */
  say(kind, id, detail) {
    if (SUCCESSES.has(kind)) {
      this.#reports += 1
      if (this.#failed) this.violations.push(`${kind} after the failure: ${id}`)
    }
    if (kind === 'failed') this.#failed = true
    else this.#take(kind, id, detail)
  }

  #take(kind, id, detail) {
    if (kind === 'offer') this.#messages.set(id, new Facts())
    const facts = this.#messages.get(id)
    if (facts === undefined) return void this.violations.push(`${kind} of a message that nobody enqueued: ${id}`)
    switch (kind) {
      case 'offer':
      case 'refuse':
        return
      case 'accept':
        facts.accepted = true
        return
      case 'known':
        return void this.violations.push(`known before it was enqueued: ${id}`)
      case 'twin':
        facts.twin = detail
        return
      case 'heir':
        facts.heir = detail
        return
      case 'start':
        return this.#started(facts, id, Number(detail))
      case 'run':
        if (facts.recorded.has(detail)) this.violations.push(`step ${detail} runs again: ${id}`)
        return
      case 'record':
        facts.recorded.add(detail)
        return
      case 'handle':
        facts.handled = true
        return
      case 'spoil':
        facts.spoiled = true
        return
      case 'cancel':
        facts.cancelling = true
        return
      case 'cancelled':
        facts.cancelled = true
        return
      case 'complete':
        if (!facts.handled) this.violations.push(`completed without being handled: ${id}`)
        facts.completed = true
        return
      case 'die':
        if (!facts.spoiled) this.violations.push(`dead for no reason: ${id}`)
        facts.dead = true
        return
      default:
        throw new Error(`no such fact: ${kind}`)
    }
  }

  #started(facts, id, attempt) {
    if (facts.completed || facts.dead || facts.cancelled) this.violations.push(`came back: ${id}`)
    if (attempt <= facts.attempt) this.violations.push(`attempt ${attempt} behind attempt ${facts.attempt}: ${id}`)
    facts.attempt = attempt
  }

  /** What a stock (see `stock.mjs`) belies of what was told. */
  belied(stock) {
    const violations = []
    for (const [id, facts] of this.#messages) {
      for (const what of this.#wrongs(id, facts, stock)) violations.push(`${what}: ${id}`)
    }
    for (const id of stock.found.keys()) if (!this.#messages.has(id)) violations.push(`nobody enqueued it: ${id}`)
    return violations.concat(stock.complaints)
  }

  *#wrongs(id, facts, stock) {
    const state = stock.states.get(id)
    const found = stock.found.get(id) ?? []
    if (facts.accepted && state === 'unknown' && !facts.cancelling) yield 'lost'
    if (facts.completed && state !== 'completed') yield `completed, but now ${state}`
    if (facts.dead && state !== 'dead') yield `dead, but now ${state}`
    if (facts.cancelled && state !== 'unknown') yield `cancelled, but now ${state}`
    if (state === 'completed' && !facts.handled) yield 'completed without being handled'
    if (state === 'dead' && !facts.spoiled) yield 'dead for no reason'
    if (found.length > 1) yield 'found twice'
    if (found.length > 0 && !WAITING.has(state)) yield `found, but ${state}`
    if (found.length === 0 && (state === 'ready' || state === 'leased')) yield `${state}, but not found`
    for (const delivery of found) {
      if (!delivery.isIntact) yield 'damaged'
      if (delivery.attempt <= facts.attempt) yield `attempt ${delivery.attempt} behind attempt ${facts.attempt}`
      for (const step of delivery.ran) if (facts.recorded.has(step)) yield `step ${step} runs again`
    }
    if (facts.twin !== undefined && (state === 'unknown') !== (stock.states.get(facts.twin) === 'unknown')) yield 'half of a batch'
    if (facts.heir !== undefined && (state === 'completed') !== (stock.states.get(facts.heir) !== 'unknown')) yield 'half of a transaction'
  }
}

/** States of messages that will be delivered some time. */
const WAITING = new Set(['ready', 'leased', 'scheduled'])
