import type { Socket } from 'node:net'

/** Node's own: by these it tells itself whether a socket gets on that has been quiet for a time. Of TLS, what it runs on has it. */
interface SystemHandle {
  readonly writeQueueSize?: number
  readonly _parent?: SystemHandle
}

/** Bytes of what was written to a socket that the system has not taken. (`writableLength` counts a write until all of it is.) */
export function untaken (socket: Socket & { readonly _handle?: SystemHandle | null }): number | undefined {
  const handle = socket._handle
  return (handle?._parent ?? handle)?.writeQueueSize
}
