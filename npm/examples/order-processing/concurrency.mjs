/** Orders that the service works on at once: so many steps one kill can cut off between effect and record. */
export const CONCURRENCY = 12
