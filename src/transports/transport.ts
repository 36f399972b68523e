import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import type { StreamRequest } from './stream-request.js'

/** A way to read the stream over plain HTTP: a new one is a folder here and a line in the registry. */
export interface HttpTransport {
  readonly name: string
  /** Query parameters that it takes, and not every transport. */
  readonly parameters: readonly string[]
  /** Whether a request asks for it; the first of the registry that does serves it. */
  matches (request: FastifyRequest): boolean
  /** Admits the request when it can refuse it no more, and answers it. */
  serve (stream: StreamRequest, request: FastifyRequest, reply: FastifyReply): Promise<unknown>
  /** Answers `HEAD` with the headers of that answer. @throws ProtocolError where `serve` would, too */
  head (stream: StreamRequest, request: FastifyRequest, reply: FastifyReply): FastifyReply
}

/** A way to read the stream over an upgraded connection. */
export interface UpgradeTransport {
  readonly name: string
  readonly parameters: readonly string[]
  /** Called in the tick of the upgrade. */
  serve (stream: StreamRequest, socket: WebSocket): void
}
