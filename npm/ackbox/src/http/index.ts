/**
 * Sending messages over HTTP.
 *
 * @module ackbox/http
 */
export { HttpStatusError } from './answer.js'
export { httpSender } from './sender.js'
export type { FetchInit, FetchLike, FetchResponse, HttpSender, HttpSenderOptions } from './sender.js'
