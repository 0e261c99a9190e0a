/** Errors wrap errors: what lies behind one that was thrown. */

/** Nobody wraps deeper on purpose. */
const LAYERS_MAX = 16

/** An error, what caused it, and what caused that; of an `AggregateError` its errors too. */
export function* layersOf(error: unknown): Generator<object> {
  const layers: unknown[] = [error]
  for (let seen = 0; layers.length > 0 && seen < LAYERS_MAX; seen++) {
    const layer = layers.shift()
    if (typeof layer !== 'object' || layer === null) continue
    yield layer
    layers.push(read(layer, 'cause'), ...errorsOf(layer))
  }
}

function errorsOf(error: object): unknown[] {
  try {
    const errors = read(error, 'errors')
    return Array.isArray(errors) ? errors.slice(0, LAYERS_MAX) : []
  } catch {
    return []
  }
}

/** The first text other than an empty one that an error, or what caused it, has under a name. */
export function textOf(error: unknown, property: string): string | undefined {
  for (const layer of layersOf(error)) {
    const text = read(layer, property)
    if (typeof text === 'string' && text !== '') return text
  }
  return undefined
}

/** A property of an error: its getters are code of others. */
export function read(object: object, property: string): unknown {
  try {
    return (object as Record<string, unknown>)[property]
  } catch {
    return undefined
  }
}
