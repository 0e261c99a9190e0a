/** Node has no IndexedDB: one in memory, which puts itself where a browser has its own. */
import 'fake-indexeddb/auto'
