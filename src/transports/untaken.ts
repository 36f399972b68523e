import type { Socket } from 'node:net'

/**
 * Internals of Node, which uses them itself to tell whether a quiet socket still makes progress. With TLS,
 * the handle below the socket's own has them.
 */
interface SystemHandle {
  readonly writeQueueSize?: number
  readonly _parent?: SystemHandle
}

/**
 * Returns how many of the bytes written to a socket the system has not taken. (`writableLength` counts a
 * whole write until the system has taken all of it.)
 */
export function untaken (socket: Socket & { readonly _handle?: SystemHandle | null }): number | undefined {
  const handle = socket._handle
  return (handle?._parent ?? handle)?.writeQueueSize
}
