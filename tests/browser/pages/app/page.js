import { work } from './work.js'

globalThis.work = work
