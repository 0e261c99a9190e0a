/** Pages that go away: closed, reloaded, or kept aside by the browser for when somebody comes back. */

/** Calls when the page goes away, where there is one; what it returns ends that. */
export function onLeaving(listener: () => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis as Partial<Window & typeof globalThis>
  if (document === undefined || addEventListener === undefined || removeEventListener === undefined) return () => {}
  addEventListener('pagehide', listener)
  return () => removeEventListener('pagehide', listener)
}
