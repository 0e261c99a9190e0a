/** Files of the conformance suite that cannot run in a browser, and why. Everything else does. */
const FOLDERS = 'folders and files'
const PROCESSES = 'starts processes'
const ITS_SUITE = 'runs the suite of another library as its package brings it, with the modules of Node'
const SERVERS = 'starts servers'
const CLIENTS = 'asks with the clients of Node'
const NODE = 'is about Node'
const HANDLES = 'counts what keeps a process alive'
const ENGINES = 'loads engines from the disk'
const STAND_IN = 'stands in for a page, with a document of happy-dom'
const COPIES = 'loads copies of the package under fake timers of the process'
const COMPILES = 'compiles a program and starts it'

export const LEFT_OUT: Readonly<Record<string, string>> = {
  'conformance/cases/bad-input-folder.test.ts': FOLDERS,
  'conformance/cases/cockatiel-suite.test.ts': ITS_SUITE,
  'conformance/cases/default-target.test.ts': PROCESSES,
  'conformance/cases/engine-choice.test.ts': NODE,
  'conformance/cases/fake-timers.test.ts': NODE,
  'conformance/cases/http-errors.test.ts': CLIENTS,
  'conformance/cases/idle-breakers.test.ts': HANDLES,
  'conformance/cases/node-listener.test.ts': SERVERS,
  'conformance/cases/poison.test.ts': PROCESSES,
  'conformance/cases/process-life.test.ts': PROCESSES,
  'conformance/cases/read-only.test.ts': FOLDERS,
  'conformance/cases/ready.test.ts': ENGINES,
  'conformance/cases/using.test.ts': COMPILES,
  'conformance/cases/watch-react.test.ts': STAND_IN,
  'conformance/cases/when-locked.test.ts': PROCESSES,
  'conformance/storage/file-failure.test.ts': FOLDERS,
  'conformance/storage/file-flushes.test.ts': FOLDERS,
  'conformance/storage/file-lock.test.ts': FOLDERS,
  'conformance/storage/file.test.ts': FOLDERS,
  'conformance/storage/manual-clock.test.ts': FOLDERS,
  'conformance/storage/suite-runners.test.ts': PROCESSES,
  'conformance/storage/system-clock.test.ts': COPIES,
}
