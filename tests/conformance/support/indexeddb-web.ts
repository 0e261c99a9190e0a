/** The platform has its own. */
export {}
