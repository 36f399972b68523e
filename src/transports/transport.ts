import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { StreamRequest } from './stream-request.js'

/** A way to read the stream over plain HTTP. A new one is a folder here and a line in the registry. */
export interface HttpTransport {
  readonly name: string
  /** The query parameters that this transport takes, but not every transport does. */
  readonly parameters: readonly string[]
  /** Returns whether a request asks for this transport. The first in the registry that matches serves it. */
  matches (request: FastifyRequest): boolean
  /** Admits the request once nothing more can refuse it, and answers it. */
  serve (stream: StreamRequest, request: FastifyRequest, reply: FastifyReply): Promise<unknown>
  /**
   * Answers `HEAD` with the headers that `serve` would give.
   * @throws ProtocolError where `serve` would throw it
   */
  head (stream: StreamRequest, request: FastifyRequest, reply: FastifyReply): FastifyReply
}

/** A way to read the stream over an upgraded connection. */
export interface UpgradeTransport {
  readonly name: string
  readonly parameters: readonly string[]
  /** Serves the upgraded request. Must be called in the tick of the upgrade. */
  serve (stream: StreamRequest, socket: WebSocket): void
}
