/** What the transitions on Redis should do, over plain objects: as slow and as simple as can be. */

/** A message of the model. */
export interface ModelMessage {
  readonly name: string
  /** In hexadecimal: leases that end together end in the order of their keys. */
  readonly key: string
  readonly id: string | undefined
  readonly body: string
  readonly priority: number
  readonly order: number
  readonly group: string | undefined
  readonly limit: number
  readonly expires: number
  /** Where it stands if it waits: its order, or the turn of its group. */
  turn: number
  due: number
  state: 'waiting' | 'leased' | 'dead'
  attempts: number
  deaths: number
  token: number
  until: number
  owner: number
}

/** What is enqueued. */
export interface ModelItem {
  readonly name: string
  readonly key: string
  readonly id?: string
  readonly body: string
  readonly priority: number
  readonly group?: string
  readonly delayMs: number
  readonly ttlMs?: number
  readonly limit: number
}

/** One queue. */
export class ModelQueue {
  now: number
  readonly live = new Map<string, ModelMessage>()
  readonly #ended = new Map<string, { at: number; body: string }>()
  /** Members of each group in their order; the first is its head. */
  readonly #groups = new Map<string, string[]>()
  readonly #windowMs: number
  readonly #maxDepth: number
  #next = 0

  constructor(now: number, windowMs: number, maxDepth: number) {
    this.now = now
    this.#windowMs = windowMs
    this.#maxDepth = maxDepth
  }

  /** All of it, or nothing. */
  enqueue(items: readonly ModelItem[]): string[] {
    const here = new Map<string, { body: string; state: string }>()
    let room = this.#maxDepth - this.live.size
    const results = items.map((item) => {
      const same = item.id === undefined ? undefined : (this.#known(item.name) ?? here.get(item.name))
      if (same !== undefined) return same.body === item.body ? `duplicate ${same.state}` : 'id-conflict'
      if (room === 0) return 'queue-full'
      room--
      const state = item.delayMs > 0 ? 'scheduled' : 'ready'
      here.set(item.name, { body: item.body, state })
      return `accepted ${state}`
    })
    const refused = results.some((result) => !/^(accepted|duplicate)/.test(result))
    if (refused) return results.map((result) => (/^(accepted|duplicate)/.test(result) ? 'unit-refused' : result))
    items.forEach((item, at) => {
      if (results[at]!.startsWith('accepted')) this.#accept(item)
    })
    return results
  }

  claim(max: number, leaseMs: number, owner: number): ModelMessage[] {
    this.#endLeases()
    const claimed: ModelMessage[] = []
    while (claimed.length < max) {
      const [first] = [...this.live.values()].filter((message) => this.#isReady(message)).sort(byRank)
      if (first === undefined) break
      if (first.expires <= this.now) {
        this.#bury(first)
        continue
      }
      first.state = 'leased'
      first.attempts++
      first.until = this.now + leaseMs
      first.owner = owner
      claimed.push(first)
    }
    return claimed
  }

  /** Whether this delivery may be settled. */
  holds(name: string, token: number, owner: number): boolean {
    const message = this.live.get(name)
    return message?.state === 'leased' && message.token === token && message.owner === owner && message.until > this.now
  }

  complete(name: string): void {
    const message = this.live.get(name)!
    this.#remove(message)
    if (message.id !== undefined) this.#ended.set(name, { at: this.now, body: message.body })
  }

  again(name: string, delayMs: number, costs: boolean): void {
    const message = this.live.get(name)!
    if (!costs) message.attempts--
    message.deaths = 0
    this.#wait(message, this.now + delayMs)
  }

  giveBack(name: string): void {
    const message = this.live.get(name)!
    message.attempts--
    this.#wait(message, this.now)
  }

  bury(name: string): void {
    this.#bury(this.live.get(name)!)
  }

  extend(name: string, ms: number): void {
    this.live.get(name)!.until = this.now + ms
  }

  cancel(name: string): boolean {
    const message = this.live.get(name)
    if (message === undefined || message.state === 'dead') return false
    this.#remove(message)
    return true
  }

  redrive(name: string): boolean {
    const message = this.live.get(name)
    if (message?.state !== 'dead') return false
    const order = ++this.#next
    const back: ModelMessage = { ...message, order, turn: order, attempts: 0, deaths: 0, expires: Infinity }
    this.live.set(name, back)
    if (back.group !== undefined) this.#members(back.group).push(name)
    this.#wait(back, this.now)
    return true
  }

  counts(): Record<string, number> {
    const of = (state: string) => [...this.live.values()].filter((message) => message.state === state).length
    return { depth: this.live.size, leased: of('leased'), deadLetters: of('dead') }
  }

  #accept(item: ModelItem): void {
    const order = ++this.#next
    this.live.set(item.name, {
      name: item.name,
      key: item.key,
      id: item.id,
      body: item.body,
      priority: item.priority,
      order,
      turn: order,
      group: item.group,
      limit: item.limit,
      expires: item.ttlMs === undefined ? Infinity : this.now + item.ttlMs,
      due: this.now + item.delayMs,
      state: 'waiting',
      attempts: 0,
      deaths: 0,
      token: 0,
      until: 0,
      owner: 0,
    })
    if (item.group !== undefined) this.#members(item.group).push(item.name)
  }

  #known(name: string): { body: string; state: string } | undefined {
    const message = this.live.get(name)
    if (message !== undefined) {
      const state = message.state === 'waiting' ? (message.due > this.now ? 'scheduled' : 'ready') : message.state
      return { body: message.body, state }
    }
    const ended = this.#ended.get(name)
    return ended !== undefined && ended.at + this.#windowMs > this.now ? { body: ended.body, state: 'completed' } : undefined
  }

  #isReady(message: ModelMessage): boolean {
    if (message.state !== 'waiting' || message.due > this.now) return false
    return message.group === undefined || this.#members(message.group)[0] === message.name
  }

  #endLeases(): void {
    const over = [...this.live.values()].filter((message) => message.state === 'leased' && message.until <= this.now)
    for (const message of over.sort((a, b) => a.until - b.until || (a.key < b.key ? -1 : 1))) {
      message.deaths++
      if (message.limit > 0 && message.attempts >= message.limit) this.#bury(message)
      else this.#wait(message, this.now)
    }
  }

  #wait(message: ModelMessage, due: number): void {
    message.state = 'waiting'
    message.due = due
    message.turn = message.order
  }

  #bury(message: ModelMessage): void {
    message.state = 'dead'
    this.#leave(message)
  }

  #remove(message: ModelMessage): void {
    this.live.delete(message.name)
    if (message.state !== 'dead') this.#leave(message)
  }

  /** The next of the group comes to the end of the line. */
  #leave(message: ModelMessage): void {
    if (message.group === undefined) return
    const members = this.#members(message.group)
    const wasHead = members[0] === message.name
    members.splice(members.indexOf(message.name), 1)
    const next = wasHead ? this.live.get(members[0] ?? '') : undefined
    // One that is not due takes its place by its order once it is.
    if (next !== undefined) next.turn = next.due > this.now ? (++this.#next, next.order) : ++this.#next
  }

  #members(group: string): string[] {
    let members = this.#groups.get(group)
    if (members === undefined) this.#groups.set(group, (members = []))
    return members
  }
}

function byRank(a: ModelMessage, b: ModelMessage): number {
  return b.priority - a.priority || a.turn - b.turn
}
