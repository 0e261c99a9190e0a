/** Files of the conformance suite that cannot run in a browser, and why. Everything else does. */
const FOLDERS = 'folders and files'
const PROCESSES = 'starts processes'
const READS = 'reads recorded traces from the disk'
const SERVERS = 'starts servers'
const NODE = 'is about Node'
const RECEIVER = 'receives requests, as servers do'
const GLOBALS = 'stands in for the globals of pages and workers'

export const LEFT_OUT: Readonly<Record<string, string>> = {
  'conformance/cases/backoff-delay.test.ts': READS,
  'conformance/cases/bad-input-folder.test.ts': FOLDERS,
  'conformance/cases/bad-input-receiver.test.ts': RECEIVER,
  'conformance/cases/breaker-traces.test.ts': READS,
  'conformance/cases/budget-traces.test.ts': READS,
  'conformance/cases/classify.test.ts': SERVERS,
  'conformance/cases/cockatiel-suite.test.ts': READS,
  'conformance/cases/default-target.test.ts': PROCESSES,
  'conformance/cases/engine-choice.test.ts': NODE,
  'conformance/cases/fake-timers.test.ts': NODE,
  'conformance/cases/http-errors.test.ts': SERVERS,
  'conformance/cases/http-network-errors.test.ts': SERVERS,
  'conformance/cases/http-sender.test.ts': SERVERS,
  'conformance/cases/idle-breakers.test.ts': NODE,
  'conformance/cases/node-listener.test.ts': SERVERS,
  'conformance/cases/poison.test.ts': PROCESSES,
  'conformance/cases/process-life.test.ts': PROCESSES,
  'conformance/cases/read-only.test.ts': FOLDERS,
  'conformance/cases/ready.test.ts': NODE,
  'conformance/cases/receiver.test.ts': RECEIVER,
  'conformance/cases/service-worker.test.ts': GLOBALS,
  'conformance/cases/share.test.ts': GLOBALS,
  'conformance/cases/share-bad-luck.test.ts': GLOBALS,
  'conformance/cases/share-hand-over.test.ts': GLOBALS,
  'conformance/cases/share-storm.test.ts': GLOBALS,
  'conformance/cases/using.test.ts': PROCESSES,
  'conformance/cases/watch-react.test.ts': NODE,
  'conformance/cases/when-locked.test.ts': PROCESSES,
  'conformance/cases/worker-network.test.ts': GLOBALS,
  'conformance/storage/file-failure.test.ts': FOLDERS,
  'conformance/storage/file-flushes.test.ts': FOLDERS,
  'conformance/storage/file-lock.test.ts': FOLDERS,
  'conformance/storage/file.test.ts': FOLDERS,
  'conformance/storage/manual-clock.test.ts': FOLDERS,
  'conformance/storage/suite-runners.test.ts': PROCESSES,
  'conformance/storage/system-clock.test.ts': NODE,
}
