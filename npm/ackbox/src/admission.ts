/**
 * The order in which enqueues reach the engine. Nearly all go in at once; those whose schema takes its time wait for it,
 * and all that are called meanwhile wait behind them.
 */

interface Turn {
  /** Undefined while it is being validated. */
  end: (() => void) | undefined
}

/** A turn that was taken. Only the first of these calls counts. */
export interface TakenTurn {
  /** `enter` runs now, or when all that came before have ended. It must not throw. */
  enter(enter: () => void): void
  /** Nobody waits for this one any more. */
  giveUp(): void
}

/** The turns of one queue. */
export class Admission {
  /** In the order of their calls. */
  readonly #turns = new Set<Turn>()

  /** Whether an enqueue can go in at once without overtaking another. */
  get isOpen(): boolean {
    return this.#turns.size === 0
  }

  take(): TakenTurn {
    const turn: Turn = { end: undefined }
    this.#turns.add(turn)
    const end = (action: () => void): void => {
      turn.end ??= action
      this.#advance()
    }
    return { enter: end, giveUp: () => end(() => {}) }
  }

  #advance(): void {
    for (const turn of this.#turns) {
      if (turn.end === undefined) return
      this.#turns.delete(turn)
      turn.end()
    }
  }
}
