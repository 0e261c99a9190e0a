/** Editing a dead letter: another body, other headers, checked like those of an enqueue. */
import type { DeadLetterEdit } from './api.js'
import type { BoxCore } from './box.js'
import { encodeBody, encodeHeaders } from './codec.js'
import type { EditDead } from './engine/wire.gen.js'
import { AckboxError, invalidOption } from './errors.js'
import type { LocalOptions } from './queue-options.js'
import { validate } from './schema.js'
import { checkNames } from './validate.js'

/** The queue of the letter. */
export interface EditTarget {
  readonly number: number
  readonly local: LocalOptions
  readonly maxBodyBytes: number
}

/** Edits a letter; false if there is none with this id. */
export async function edit(
  core: BoxCore,
  target: EditTarget,
  id: string,
  changes: DeadLetterEdit<unknown>,
  where: string,
): Promise<boolean> {
  if (typeof id !== 'string') throw invalidOption('id to be a string', id, where)
  checkNames(changes, ['body', 'headers'], where)
  core.checkAccepting(where)
  const { body, headers } = changes
  const [hasBody, hasHeaders] = [body !== undefined, headers !== undefined]
  if (!hasBody && !hasHeaders) {
    throw new AckboxError('ERR_INVALID_OPTION', `${where}: expected a body or headers, got neither`)
  }
  const { codec, schema } = target.local
  const late = hasBody && schema !== undefined ? validate(schema, body, where) : undefined
  // What follows may throw while the schema takes its time.
  late?.catch(() => {})
  const record: Omit<EditDead, 'ticket'> = { queue: target.number, id, hasBody, hasHeaders }
  if (hasHeaders) record.headers = encodeHeaders(headers, where)
  if (hasBody) record.body = encodeBody(body, codec, target.maxBodyBytes, where)
  if (late !== undefined) {
    // The codec may use these bytes again.
    if (record.body instanceof Uint8Array) record.body = record.body.slice()
    await late
    core.checkAccepting(where)
  }
  return (await core.driver.ask<number>((ticket, input) => input.editDead({ ticket, ...record }))) === 1
}
