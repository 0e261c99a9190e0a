/** It puts itself where a browser has its own, and has no types of its own. */
declare module 'fake-indexeddb/auto'
