import { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { asksForEventStream } from '../accept.js'
import { acceptsGzip } from '../accept-encoding.js'
import { livenessOf } from '../liveness.js'
import { openConnection, type StreamRequest } from '../stream-request.js'
import type { HttpTransport } from '../transport.js'
import { gzip, identity } from './content-coding.js'
import { EventStreamTransport } from './event-stream-transport.js'

const isCompressed = ({ context }: StreamRequest, request: FastifyRequest): boolean =>
  context.compression && acceptsGzip(request.headers['accept-encoding'])

/**
 * No request may follow a stream on its TCP connection: it would arrive while the connection is being closed.
 */
const HEADERS = { Connection: 'close', 'Cache-Control': 'no-cache, no-store, no-transform' } as const
const COMPRESSED = { 'Content-Encoding': 'gzip' } as const

export const eventStreamTransport: HttpTransport = {
  name: 'sse',
  parameters: ['heartbeat', 'lastEventId'],
  matches: request => asksForEventStream(request.headers.accept),

  async serve (stream, request, reply) {
    await stream.admit()
    const compressed = isCompressed(stream, request)
    let coding = identity
    // The SSE plugin sets its own Cache-Control and Connection, so these are set just before the head goes
    // out.
    reply.raw.flushHeaders = function () {
      for (const [name, value] of Object.entries(HEADERS)) this.setHeader(name, value)
      // The coding changes only here: if the head were sent in another way, it would not name the coding.
      if (compressed) {
        for (const [name, value] of Object.entries(COMPRESSED)) this.setHeader(name, value)
        coding = gzip
      }
      ServerResponse.prototype.flushHeaders.call(this)
    }
    reply.header('X-Accel-Buffering', 'no')
    // The plugin opens the stream, but it would encode messages for each client. So the bytes go past it, and
    // its source is unpiped at once, because it takes more memory than all the rest of a connection.
    reply.raw.on('pipe', unpipe)
    // An application may have its own SSE plugin, which may begin by writing a block with only `retry:`, in
    // plain text.
    reply.raw.write = function () {
      this.flushHeaders()
      return true
    }
    reply.sse(noMessages())
    reply.sseContext.source.end()
    Reflect.deleteProperty(reply.raw, 'write')
    reply.raw.off('pipe', unpipe)
    const { context, query } = stream
    const dialect = context.dialects.native(query.decimals)
    const liveness = livenessOf(context, query.heartbeat)
    const connection = openConnection(stream, new EventStreamTransport(reply.raw, dialect, coding, liveness))
    reply.raw.socket?.on('drain', () => { connection.onDrain() })
    const onClose = (): void => { connection.onClose() }
    if (reply.raw.destroyed) onClose()
    else reply.raw.on('close', onClose)
  },

  head: (stream, request, reply) => reply
    .headers({
      ...HEADERS,
      ...(isCompressed(stream, request) ? COMPRESSED : {}),
      'Content-Type': 'text/event-stream; charset=utf-8',
      'X-Accel-Buffering': 'no',
      'X-No-Compression': '1'
    })
    .send()
}

function unpipe (this: ServerResponse, source: Readable): void {
  source.unpipe(this)
}

async function * noMessages (): AsyncGenerator<never> {}
