/**
 * What must be so of each message, as far as it was told: a few facts a message, no states of the engine. Whoever is told
 * something finds it, now and after any reopening.
 */
import type { MessageInfo, Queue } from 'ackbox'

/** What was told of one message. */
export interface Facts {
  /** Its receipt came. */
  isAccepted: boolean
  /** A consumer has seen it. */
  isSeen: boolean
  /** Somebody said that it succeeded. */
  isHandled: boolean
  /** Its completion was told. */
  completions: number
  /** Its death was told. */
  isDead: boolean
  /** A cancellation was asked for: it may be gone, and enqueued anew. */
  isLoose: boolean
}

export class Model {
  readonly broken: string[] = []
  readonly #facts = new Map<string, Facts>()
  /** Queues whose dead letters were asked to live again. */
  readonly #redriven = new Set<string>()

  /** Of a message by its queue and id. */
  of(queue: string, id: string): Facts {
    const key = `${queue}/${id}`
    let facts = this.#facts.get(key)
    if (facts === undefined) {
      facts = { isAccepted: false, isSeen: false, isHandled: false, completions: 0, isDead: false, isLoose: false }
      this.#facts.set(key, facts)
    }
    return facts
  }

  /** Everything that is known of a queue's messages. */
  all(queue: string): [string, Facts][] {
    const prefix = `${queue}/`
    return [...this.#facts].filter(([key]) => key.startsWith(prefix)).map(([key, facts]) => [key.slice(prefix.length), facts])
  }

  /** A consumer gets a message. */
  delivered(queue: string, id: string): void {
    const facts = this.of(queue, id)
    facts.isSeen = true
    if (facts.completions > 0 && !facts.isLoose) this.broken.push(`${queue}/${id} was delivered after its completion was told`)
  }

  /** A completion was told. */
  completed(queue: string, id: string): void {
    const facts = this.of(queue, id)
    facts.completions++
    if (facts.isLoose) return
    if (facts.completions > 1) this.broken.push(`${queue}/${id} was completed twice`)
    if (!facts.isHandled) this.broken.push(`${queue}/${id} was completed and nobody said that it succeeded`)
  }

  /** A death was told. */
  died(queue: string, id: string): void {
    this.of(queue, id).isDead = true
  }

  /** Dead letters of a queue are asked to live again, those too of whose death nobody was told yet. */
  redriven(queue: string): void {
    this.#redriven.add(queue)
  }

  /**
   * Holds what a box tells against what was told before. The box must be open; what is asked is asked in one go, so that
   * a box which is at work, as one is whose storage answers late, shows one moment in all answers.
   */
  async compare(queue: Queue<never>, when: string): Promise<void> {
    let [unfinished, dead] = [0, 0]
    const known = this.all(queue.name)
    const asked = Promise.all([queue.stats(), ...known.map(([id]) => queue.get(id))])
    const [stats, ...infos] = await asked
    for (const [place, [id, facts]] of known.entries()) {
      const info = infos[place]
      if (info?.state === 'dead') dead++
      else if (info !== undefined && !isFinished(info)) unfinished++
      if (!facts.isLoose) this.#check(`${when}: ${queue.name}/${id}`, facts, info, this.#redriven.has(queue.name))
    }
    const told = { unfinished: stats.ready + stats.scheduled + stats.leased, dead: stats.deadLetters }
    if (told.unfinished !== unfinished || told.dead !== dead) {
      this.broken.push(`${when}: ${queue.name} has ${JSON.stringify({ unfinished, dead })}, and counts ${JSON.stringify(told)}`)
    }
  }

  #check(where: string, facts: Facts, info: MessageInfo | undefined, isRedriven: boolean): void {
    const state = info?.state ?? 'unknown'
    if (facts.isAccepted && info === undefined) this.broken.push(`${where} was accepted and is not known`)
    if (facts.completions > 0 && state !== 'completed') this.broken.push(`${where} was completed and is ${state}`)
    if (facts.isDead && !isRedriven && state !== 'dead') this.broken.push(`${where} was dead and is ${state}`)
    if (state === 'completed' && !facts.isHandled) this.broken.push(`${where} is completed and nobody said that it succeeded`)
  }
}

function isFinished({ state }: MessageInfo): boolean {
  return state === 'completed' || state === 'cancelled'
}
