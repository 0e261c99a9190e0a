/** A Web Lock that is held until it is let go, and not for the time of one function. */

/** Lets a holder of the lock go. */
export interface Hold {
  /** It was neither let go nor taken away. */
  readonly isHeld: boolean
  release(): Promise<void>
}

/**
 * Waits for a lock and holds it; `ifAvailable`: `undefined` if somebody else has it. `onLost` is called when it is taken
 * away. Rejects as the request does.
 */
export function holdLock(
  locks: LockManager,
  name: string,
  options: LockOptions & { readonly ifAvailable: true },
  onLost: () => void,
): Promise<Hold | undefined>
export function holdLock(
  locks: LockManager,
  name: string,
  options: LockOptions & { readonly ifAvailable?: never },
  onLost: () => void,
): Promise<Hold>
export function holdLock(locks: LockManager, name: string, options: LockOptions, onLost: () => void): Promise<Hold | undefined> {
  return new Promise((granted, refused) => {
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    let isHeld = false
    const ended = locks
      .request(name, options, (given): Promise<void> | undefined => {
        if (given === null) {
          granted(undefined)
          return undefined
        }
        isHeld = true
        granted({
          get isHeld() {
            return isHeld
          },
          release: async () => {
            isHeld = false
            letGo()
            await ended
          },
        })
        return held
      })
      .then(
        () => {},
        (error: unknown) => {
          if (!isHeld) return refused(error)
          isHeld = false
          onLost()
        },
      )
  })
}
