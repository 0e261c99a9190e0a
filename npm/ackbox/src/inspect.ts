/** Messages as the engine shows them, put together with their contents. */
import type { Codec } from './codec.js'
import { decodeBody, decodeHeaders, decodeResult } from './codec.js'
import type { Driver } from './driver.js'
import { decodeError } from './error-info.js'
import type { AttemptInfo as EngineAttempt, MessageInfo as EngineInfo, Request } from './engine/objects.js'
import type { BodyView } from './engine/wire.gen.js'
import type { AttemptInfo, DeadLetter, MessageInfo } from './types.js'

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

/** Asks for entries; their contents come before the answer. */
export async function askForInfos<A>(
  driver: Driver,
  request: Request,
  codec: Codec<never> | undefined,
): Promise<Answer<A>> {
  const contents: (Content | undefined)[] = []
  const answer = await driver.request<A>(request, (view) => {
    contents[view.index] = view.intact ? contentOf(view, codec) : undefined
  })
  return {
    answer,
    infoOf: (entry, index) => messageInfo(entry, contents[index], codec),
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

function messageInfo(entry: EngineInfo, content: Content | undefined, codec: Codec<never> | undefined): MessageInfo<never, never> {
  const { error: encodedError, history, ...info } = entry
  const error = decodeError(encodedError)
  return {
    ...info,
    ...(info.state === 'completed' ? resultOf(content) : bodyOf(content, codec)),
    headers: decodeHeaders(content?.headers ?? ''),
    ...(error === undefined ? {} : { error }),
    history: history.map(attemptInfo),
  }
}

/** No body where it cannot be decoded: looking at a message must work for broken ones above all. */
function bodyOf(content: Content | undefined, codec: Codec<never> | undefined): { body?: never } {
  if (content === undefined) return {}
  try {
    return { body: decodeBody(content.body, codec) as never }
  } catch {
    return {}
  }
}

/** Of a completed message the engine shows its result in place of a body. */
function resultOf(content: Content | undefined): { result?: never } {
  if (content === undefined) return {}
  const { body } = content
  return { result: decodeResult(typeof body === 'string' ? body : new TextDecoder().decode(body)) as never }
}

function attemptInfo({ error: encodedError, ...attempt }: EngineAttempt): AttemptInfo {
  const error = decodeError(encodedError)
  return error === undefined ? attempt : { ...attempt, error }
}
