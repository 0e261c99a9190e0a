/** Expectations about refusals: the code, and a message that helps. */
import { AckboxError } from 'ackbox'
import { expect } from 'vitest'

/** Awaits a refusal, whether thrown or rejected, and checks code and message; returns the error. */
export async function refusal(
  action: (() => unknown) | PromiseLike<unknown>,
  code: string,
  message: RegExp = /./,
): Promise<AckboxError> {
  let outcome: unknown
  try {
    outcome = await (typeof action === 'function' ? action() : action)
  } catch (error) {
    if (!AckboxError.is(error)) throw error
    const refused: AckboxError = error
    expect({ code: refused.code, message: refused.message }).toEqual({
      code,
      message: expect.stringMatching(message),
    })
    return refused
  }
  throw new Error(`expected a refusal with ${code}, but it went through with ${JSON.stringify(outcome)}`)
}
