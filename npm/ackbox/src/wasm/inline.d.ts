/** The WebAssembly as a module, written by the build beside the compiled package: deflated (raw), in Base64. */
export const packed: string
