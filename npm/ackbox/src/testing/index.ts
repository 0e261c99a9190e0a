/**
 * For tests: of code that uses ackbox, and of storages of one's own.
 *
 * @module ackbox/testing
 */
export { BUSY } from '../clock.js'
export type { BusyClock, BusyProbe } from '../clock.js'
export { faultyStorage } from './faulty-storage.js'
export type { AppendFault, FaultyStorage, FaultyStorageOptions } from './faulty-storage.js'
export { manualClock } from './manual-clock.js'
export type { ManualClock, ManualClockOptions } from './manual-clock.js'
export { testDelivery } from './test-delivery.js'
export type { Settlement, StagedMessage, TestDelivery, TestDeliveryOverrides } from './test-delivery.js'
export { storageSuite } from './storage-suite.js'
export type { StorageSuiteOptions } from './storage-suite.js'
