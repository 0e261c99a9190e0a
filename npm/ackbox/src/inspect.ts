/** Messages as the engine shows them, put together with their contents. */
import type { BodyReader } from './body-reader.js'
import type { Codec } from './codec.js'
import { decodeHeaders, decodeResult } from './codec.js'
import type { Driver } from './driver.js'
import { decodeError } from './error-info.js'
import type {
  AttemptInfo as EngineAttempt,
  DeadPage,
  MessageInfo as EngineInfo,
  Request,
  StepInfo as EngineStep,
} from './engine/objects.js'
import type { BodyView } from './engine/wire.gen.js'
import type { LocalOptions } from './queue-options.js'
import type { AttemptInfo, DeadLetter, MessageInfo, StepInfo } from './types.js'

/** Headers and body of one entry, copied out of the output area. */
export interface Content {
  readonly headers: string
  readonly body: string | Uint8Array
}

/** An answer with entries, and what belongs to each of them. */
interface Answer<A> {
  readonly answer: A
  infoOf(entry: EngineInfo, index: number): MessageInfo<never, never>
  /** Undefined where the stored bytes are damaged, or are not kept. */
  contentOf(index: number): Content | undefined
}

/** The queue whose messages are looked at. */
export interface Inspected {
  readonly local: LocalOptions
  readonly bodies: BodyReader
}

/** Asks for entries; their contents come before the answer, those of their steps last. */
export async function askForInfos<A extends readonly EngineInfo[] | DeadPage>(driver: Driver, request: Request, { local, bodies }: Inspected): Promise<Answer<A>> {
  const { codec } = local
  const contents: (Content | undefined)[] = []
  const answer = await driver.request<A>(request, (view) => {
    contents[view.index] = view.intact ? contentOf(view, codec) : undefined
  })
  const entries: readonly EngineInfo[] = 'items' in answer ? answer.items : answer
  const given = contents.slice(entries.length)
  const steps = entries.map((entry) => {
    const results = given.splice(0, entry.steps?.length ?? 0)
    return entry.steps?.map((step, index) => stepInfo(step, results[index], (result) => bodies.read(entry.id, result, codec)))
  })
  return {
    answer,
    infoOf: (entry, index) =>
      messageInfo(entry, contents[index], steps[index], (content) => bodies.read(entry.id, content.body, codec)),
    contentOf: (index) => contents[index],
  }
}

/** A message that is dead, as a dead letter, of which the engine keeps everything. */
export function deadLetter(info: MessageInfo<never>): DeadLetter<never> {
  return { ...info, deadAt: info.finishedAt } as DeadLetter<never>
}

function contentOf(view: BodyView, codec: Codec<never> | undefined): Content {
  return { headers: view.headersText(), body: codec === undefined ? view.bodyText() : view.body().slice() }
}

function messageInfo(
  entry: EngineInfo,
  content: Content | undefined,
  steps: readonly StepInfo[] | undefined,
  bodyOf: (content: Content) => { body?: never },
): MessageInfo<never, never> {
  const { error: encodedError, history, steps: _, ...info } = entry
  const error = decodeError(encodedError)
  return {
    ...info,
    ...(content === undefined ? {} : info.state === 'completed' ? resultOf(content) : bodyOf(content)),
    headers: decodeHeaders(content?.headers ?? ''),
    ...(error === undefined ? {} : { error }),
    history: history.map(attemptInfo),
    ...(steps === undefined ? {} : { steps }),
  }
}

function stepInfo(
  { name, gave }: EngineStep,
  result: Content | undefined,
  read: (encoded: Content['body']) => { body?: never },
): StepInfo {
  if (gave === 'nothing') return { name }
  if (result === undefined) return { name, isDamaged: true }
  const { body } = read(result.body)
  return body === undefined ? { name } : { name, result: body }
}

/** Of a completed message the engine shows its result in place of a body. */
function resultOf({ body }: Content): { result?: never } {
  return { result: decodeResult(typeof body === 'string' ? body : new TextDecoder().decode(body)) as never }
}

function attemptInfo({ error: encodedError, ...attempt }: EngineAttempt): AttemptInfo {
  const error = decodeError(encodedError)
  return error === undefined ? attempt : { ...attempt, error }
}
