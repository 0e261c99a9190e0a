/** Whether there is a network, where the platform can tell: browsers do, in pages and in workers, Node does not. */

export function isOffline(): boolean {
  return onLine() === false
}

export function tellsOnline(): boolean {
  return onLine() !== undefined
}

function onLine(): boolean | undefined {
  const { navigator } = globalThis as { navigator?: { onLine?: unknown } }
  return typeof navigator?.onLine === 'boolean' ? navigator.onLine : undefined
}
