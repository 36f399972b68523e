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

const isCompressed = ({ context }: StreamRequest, request: FastifyRequest): boolean => context.compression && acceptsGzip(request.headers['accept-encoding'])

/** No request may follow a stream on its connection: it would come while that is closed. */
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
    // The plugin sends its own Cache-Control and Connection.
    reply.raw.flushHeaders = function () {
      for (const [name, value] of Object.entries(HEADERS)) this.setHeader(name, value)
      // Only here: whoever sent the head before would have sent it without.
      if (compressed) {
        for (const [name, value] of Object.entries(COMPRESSED)) this.setHeader(name, value)
        coding = gzip
      }
      ServerResponse.prototype.flushHeaders.call(this)
    }
    reply.header('X-Accel-Buffering', 'no')
    // The plugin opens the stream. What it would send is made per client, so the bytes go past it, and what it would send with
    // is let go at once: it takes more memory than all else of a connection.
    reply.raw.on('pipe', letGo)
    // Where an application has its own plugin, that may begin with a block of `retry:` alone, in plain text.
    reply.raw.write = function () {
      this.flushHeaders()
      return true
    }
    reply.sse(nothing())
    reply.sseContext.source.end()
    Reflect.deleteProperty(reply.raw, 'write')
    reply.raw.off('pipe', letGo)
    const { context, query } = stream
    const connection = openConnection(stream, new EventStreamTransport(reply.raw, context.dialects.native(query.decimals), coding, livenessOf(context, query.heartbeat)))
    reply.raw.socket?.on('drain', () => { connection.onDrain() })
    const gone = (): void => { connection.onClose() }
    if (reply.raw.destroyed) gone()
    else reply.raw.on('close', gone)
  },

  head: (stream, request, reply) => reply
    .headers({ ...HEADERS, ...(isCompressed(stream, request) ? COMPRESSED : {}), 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no', 'X-No-Compression': '1' })
    .send()
}

function letGo (this: ServerResponse, source: Readable): void {
  source.unpipe(this)
}

async function * nothing (): AsyncGenerator<never> {}
