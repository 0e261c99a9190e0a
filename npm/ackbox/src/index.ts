/**
 * Guaranteed message delivery for JavaScript: durable queues with acknowledgements, retries and dead letters.
 *
 * @module ackbox
 */
export { open } from './open.js'
export type { OpenOptions } from './open.js'
export type {
  Box,
  DeadFilter,
  DeadLetterEdit,
  DeadLetterPage,
  DeadLetters,
  DeadList,
  Delivery,
  DequeueOptions,
  FinishedOptions,
  Handler,
  PageOptions,
  PeekOptions,
  Producer,
  ProducerEnqueueOptions,
  ProducerReceipt,
  Queue,
  RedriveOptions,
  RedriveReport,
  RejectOptions,
  StepContext,
  Transaction,
  Worker,
  WorkerOptions,
} from './api.js'
export { constant, exponential, schedule } from './backoff.js'
export type {
  Backoff,
  BackoffFunction,
  ConstantBackoff,
  Delays,
  ExponentialBackoff,
  ExponentialOptions,
  FixedJitter,
  Jitter,
  JitterOptions,
  ScheduleBackoff,
} from './backoff.js'
export type { BreakerOptions } from './breaker-options.js'
export { CircuitBreaker } from './circuit-breaker.js'
export type { CircuitBreakerOptions, ExecuteOptions } from './circuit-breaker.js'
export type { CircuitEvents } from './circuit-events.js'
export type { CircuitBreakerJson } from './circuit-saving.js'
export { systemClock } from './clock.js'
export type { Clock, TimerHandle } from './clock.js'
export { bytes } from './codec.js'
export type { Codec } from './codec.js'
export type { DelayOptions } from './delay.js'
export type { ConsumeOptions, Consumption } from './consume.js'
export type { DrainOptions, DrainReport } from './drain.js'
export type { CircuitChange, CircuitReason, CircuitSnapshot, CircuitState, CircuitStats } from './engine/breaker.js'
export type { EngineKind, WasmSource } from './engine/engine.js'
export { defineQueue } from './definition.js'
export type { QueueDefinition, QueueOf } from './definition.js'
export { AckboxError, ERROR_CODES, PermanentError, RetryAfterError } from './errors.js'
export type {
  AckboxErrorOf,
  ErrorCode,
  ErrorDetails,
  ErrorDetailsByCode,
  HeadersLike,
  LockedDetails,
  PermanentOptions,
  RetryAfterOptions,
} from './errors.js'
export type { EventsOptions, EventStream, QueueEvent } from './event-stream.js'
export { httpErrors } from './http-errors.js'
export type { HttpErrorsOptions } from './http-errors.js'
export type { BoxEvents, Listen, ListenOptions, QueueEvents, Warning, WorkerEvents } from './events.js'
export type { IdleOptions } from './idle.js'
export type { EnqueueContext, Middleware } from './middleware.js'
export type { DedupOptions, QueueOptions } from './queue-options.js'
export type { BoxStats, Health, Histogram, QueueStats, QueueSummary, RecoveryReport, WorkerStats } from './stats.js'
export { ready } from './ready.js'
export type { ReadyOptions } from './ready.js'
export { retry } from './retry.js'
export type { RetryContext, RetryOptions } from './retry.js'
export type { StandardSchemaV1 } from './standard-schema.js'
export { memoryStorage } from './storage/memory.js'
export type { CleanFailure, Durability, Room, SegmentInfo, Storage, StorageReader } from './storage/storage.js'
export type {
  AttemptInfo,
  CloseOptions,
  CloseReport,
  DeadLetter,
  DeathNotice,
  EnqueueItem,
  EnqueueOptions,
  ErrorInfo,
  Guarantee,
  MessageInfo,
  MessageState,
  Outcome,
  Reason,
  Receipt,
  SchemaIssue,
  StagedEnqueueOptions,
  StepInfo,
} from './types.js'
export type { Classify, ErrorVerdict, RetryVerdict } from './verdict.js'
export type { Watch, WatchOptions } from './watch.js'
export type { WorkerCircuit, WorkerCircuitInfo } from './worker-circuit.js'
export type {
  PerDestinationOptions,
  PolicyOptions,
  RateOptions,
  RetryBudgetOptions,
  WorkerBreakerOptions,
  WorkerRateOptions,
} from './worker-policies.js'
export type { ReadinessOptions } from './worker-readiness.js'
