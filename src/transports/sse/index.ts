import { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { acceptsGzip } from '../accept-encoding.js'
import { livenessOf } from '../liveness.js'
import { openConnection } from '../stream-request.js'
import type { HttpTransport } from '../transport.js'
import { gzip, identity } from './content-coding.js'
import { EventStreamTransport } from './event-stream-transport.js'

export const eventStreamTransport: HttpTransport = {
  name: 'sse',
  parameters: ['heartbeat'],
  matches: request => request.headers.accept?.includes('text/event-stream') === true,

  async serve (stream, request, reply) {
    const compressed = stream.context.compression && acceptsGzip(request.headers['accept-encoding'])
    let coding = identity
    // The plugin sends its own Cache-Control and Connection; the protocol asks for more than the one, and no request may follow
    // a stream on its connection: it would come while that is closed.
    reply.raw.flushHeaders = function () {
      this.setHeader('Connection', 'close')
      this.setHeader('Cache-Control', 'no-cache, no-store, no-transform')
      // Only here: whoever sent the head before would have sent it without.
      if (compressed) {
        this.setHeader('Content-Encoding', 'gzip')
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
    const connection = openConnection(stream, new EventStreamTransport(reply.raw, query.decimals ?? 'string', coding, livenessOf(context, query.heartbeat)))
    reply.raw.socket?.on('drain', () => { connection.onDrain() })
    const gone = (): void => { connection.onClose() }
    if (reply.raw.destroyed) gone()
    else reply.raw.on('close', gone)
  }
}

function letGo (this: ServerResponse, source: Readable): void {
  source.unpipe(this)
}

async function * nothing (): AsyncGenerator<never> {}
