/** Dead letters for the cases: how messages die, and all of a walk. */
import type { DeadLetter, Queue } from 'ackbox'

/** Enqueues a message, and lets its first delivery be its last. */
export async function kill<T>(queue: Queue<T>, body: T, id: string): Promise<void> {
  await queue.enqueue(body, { id })
  await killNext(queue, `refused ${id}`)
}

/** The next message is dead-lettered as permanent. */
export async function killNext(queue: Pick<Queue, 'dequeue'>, why = 'refused'): Promise<void> {
  const message = await queue.dequeue()
  await message!.reject(new Error(why), { dead: true })
}

/** Everything that a walk shows. */
export async function list<T>(letters: AsyncIterable<DeadLetter<T>>): Promise<DeadLetter<T>[]> {
  const all: DeadLetter<T>[] = []
  for await (const letter of letters) all.push(letter)
  return all
}

/** Ids of everything that a walk shows. */
export async function ids(letters: AsyncIterable<DeadLetter>): Promise<string[]> {
  return (await list(letters)).map(({ id }) => id)
}
