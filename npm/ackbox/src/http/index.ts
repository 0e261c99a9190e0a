/**
 * Sending messages over HTTP, and receiving them.
 *
 * @module ackbox/http
 */
export { HttpStatusError } from './answer.js'
export { HttpNetworkError } from './network-error.js'
export { nodeListener } from './node-listener.js'
export type { FetchHandler, NodeRequest, NodeResponse } from './node-listener.js'
export type { ProblemCode } from './problem.js'
export { receiver } from './receiver.js'
export type { Client, Receiver, ReceiverOptions } from './receiver.js'
export { httpSender } from './sender.js'
export type { FetchInit, FetchLike, FetchResponse, HttpSender, HttpSenderOptions } from './sender.js'
