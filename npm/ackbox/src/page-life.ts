/** Pages that go away: closed, reloaded, or kept aside by the browser for when somebody comes back. */

/** Calls when the page goes away, where there is one, and when it is back; what it returns ends that. */
export function onLeaving(left: () => void, back: () => void = () => {}): () => void {
  const { document, addEventListener, removeEventListener } = globalThis as Partial<Window & typeof globalThis>
  if (document === undefined || addEventListener === undefined || removeEventListener === undefined) return () => {}
  const shown = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) back()
  }
  addEventListener('pagehide', left)
  addEventListener('pageshow', shown)
  return () => {
    removeEventListener('pagehide', left)
    removeEventListener('pageshow', shown)
  }
}

let isLeft = false
let isWatched = false

/** Whether the page is gone, but for what of its code still runs; known from the first time that this is asked. */
export function pageIsLeft(): boolean {
  if (isWatched) return isLeft
  isWatched = true
  onLeaving(
    () => (isLeft = true),
    () => (isLeft = false),
  )
  return isLeft
}
