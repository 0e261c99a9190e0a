/**
 * The engine for those who have no box: one for all of the process, loaded by the first that needs it. Where loading
 * takes time (browsers), somebody must have waited for it before.
 */
import { loadEngine, loadEngineNow } from '#engine'
import type { EngineModule, LoadOptions } from './engine.js'

let loaded: EngineModule | undefined

/** Loads it, if that has not happened. */
export async function loadStandalone(options: LoadOptions): Promise<void> {
  loaded ??= await loadEngine(options)
}

/**
 * The engine, at once.
 *
 * @throws `ERR_ENGINE` if there is none, or not yet
 */
export function standaloneEngine(): EngineModule {
  return (loaded ??= loadEngineNow())
}
