/**
 * Sending with the page closed: a service worker drains a box when the browser says that there is a network.
 *
 * @module ackbox/service-worker
 */
export { drainOnSync } from './drain-on-sync.js'
export type { DrainOnSyncOptions, SyncContext } from './drain-on-sync.js'
export { requestSync } from './request-sync.js'
export type { RequestSyncOptions, SyncRegistration } from './request-sync.js'
