/**
 * `ackbox/redis`: a box whose messages are in Redis, shared by processes on any number of machines.
 *
 * @module
 */

export { openRedis, type RedisOptions } from './engine/open-redis.js'
export { type ServerFacts, whatCouldBeLost } from './facts.js'
export { type MessageKey, MessageKeys } from './message-key.js'
export { RedisLedger, type RedisLedgerOptions } from './redis-ledger.js'
export type { Settlement } from './settlement.js'
export type { Sheet, StoredMessage } from './sheet.js'
export type { AttemptEnd, Reason, Track } from './track.js'
export type * from './transitions.js'
export { connect, type IoredisClient, type NodeRedisClient, type Transport, transportOf } from './transport.js'
export type { Wake } from './wake.js'
