/**
 * What programs said before they were killed, life by life, and what must not be among it.
 *
 * A line is a kind and the id that it is about. It was in the file when the program went on, so whatever the program was
 * told before it is known, and nothing else.
 */

/** What a queue holds when everything was taken out. */
const EMPTY = '{"ready":0,"scheduled":0,"leased":0,"deadLetters":0}'

interface Line {
  readonly kind: string
  readonly id: string
  readonly rest: string
}

function parse(line: string): Line {
  const [kind = '', id = '', ...rest] = line.split(' ')
  return { kind, id, rest: rest.join(' ') }
}

function idsOf(lines: readonly Line[], kind: string): string[] {
  return lines.filter((line) => line.kind === kind).map(({ id }) => id)
}

function repeated(ids: readonly string[]): string[] {
  return ids.filter((id, index) => ids.indexOf(id) !== index)
}

/** Lives of a producer, each of which first takes out what the one before left. */
export class ProducerRecord {
  readonly violations: string[] = []
  receipts = 0
  readonly #everFound = new Set<string>()
  #accepted: string[] = []
  #lives = 0

  take(said: readonly string[]): void {
    this.#lives += 1
    const lines = said.map(parse)
    const found = idsOf(lines, 'found')
    const there = new Set(found)
    this.#complain('lost', this.#accepted.filter((id) => !there.has(id)))
    this.#complain('found twice', repeated(found))
    this.#complain('came back', found.filter((id) => this.#everFound.has(id)))
    this.#complain('damaged', lines.filter(({ kind, rest }) => kind === 'found' && rest !== 'true').map(({ id }) => id))
    // Of two that were enqueued together, one has the other's id and a plus.
    this.#complain('half of a batch', found.filter((id) => id.endsWith('+') && !there.has(id.slice(0, -1))))
    this.#complain('half of a batch', found.filter((id) => id.endsWith('=') && !there.has(`${id}+`)))
    this.#complain('known before it was enqueued', idsOf(lines, 'duplicate'))
    const left = lines.find(({ kind }) => kind === 'left')
    if (left?.id !== EMPTY) this.#complain('left', [left?.id ?? 'nothing said'])
    for (const id of found) this.#everFound.add(id)
    this.#accepted = idsOf(lines, 'accepted')
    this.receipts += this.#accepted.length
  }

  #complain(what: string, ids: readonly string[]): void {
    if (ids.length > 0) this.violations.push(`${what} in life ${this.#lives}: ${ids.slice(0, 5).join(', ')}`)
  }
}

/** Lives of a consumer, and in the end a program that takes out what is left. */
export class ConsumerRecord {
  readonly violations: string[] = []
  readonly completed = new Set<string>()
  readonly #accepted = new Set<string>()
  readonly #handled = new Set<string>()
  /** The last attempt of each message that was heard of, 0 before the first, and in which life that was. */
  readonly #attempts = new Map<string, { attempt: number; life: number }>()
  #lives = 0

  take(said: readonly string[]): void {
    this.#lives += 1
    for (const { kind, id, rest } of said.map(parse)) {
      if (kind === 'started') this.#started(id, Number(rest))
      if (kind === 'accepted') this.#acceptedNow(id)
      if (kind === 'duplicate') this.#complain('known before it was enqueued', id)
      if (kind === 'handled') this.#handled.add(id)
      if (kind !== 'completed') continue
      if (!this.#handled.has(id)) this.#complain('completed without being handled', id)
      if (this.completed.has(id)) this.#complain('completed twice', id)
      this.completed.add(id)
    }
  }

  /** What `drain` said after the last life. */
  end(said: readonly string[]): void {
    const lines = said.map(parse)
    const found = idsOf(lines, 'found')
    const left = new Set(found)
    for (const id of repeated(found)) this.#complain('found twice', id)
    for (const id of found) if (this.completed.has(id)) this.#complain('came back', id)
    for (const id of this.#accepted) if (!this.#handled.has(id) && !left.has(id)) this.#complain('lost', id)
    const rest = lines.find(({ kind }) => kind === 'left')
    if (rest?.id !== EMPTY) this.#complain('left', rest?.id ?? 'nothing said')
  }

  /** What `results` said of those that were completed. */
  results(said: readonly string[]): void {
    const results = new Map(said.map(parse).map(({ kind, id, rest }) => [id, kind === 'result' ? rest : '']))
    for (const id of this.completed) {
      const result = results.get(id)
      if (result !== 'completed true') this.#complain(`result '${result ?? 'not told'}'`, id)
    }
  }

  #acceptedNow(id: string): void {
    this.#accepted.add(id)
    if (!this.#attempts.has(id)) this.#attempts.set(id, { attempt: 0, life: this.#lives })
  }

  /** An attempt is never too low, and at most one too high for each death. */
  #started(id: string, attempt: number): void {
    if (this.completed.has(id)) this.#complain('came back', id)
    const last = this.#attempts.get(id)
    this.#attempts.set(id, { attempt, life: this.#lives })
    if (last === undefined) return
    const most = last.attempt + 1 + (this.#lives - last.life)
    if (attempt <= last.attempt || attempt > most) this.#complain(`attempt ${attempt} behind attempt ${last.attempt}`, id)
  }

  #complain(what: string, id: string): void {
    this.violations.push(`${what} in life ${this.#lives}: ${id}`)
  }
}
