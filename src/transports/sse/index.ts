import { ServerResponse } from 'node:http'
import { acceptsGzip } from '../accept-encoding.js'
import { openConnection } from '../stream-request.js'
import type { HttpTransport } from '../transport.js'
import { gzip, identity } from './content-coding.js'
import { EventStreamTransport } from './event-stream-transport.js'

export const eventStreamTransport: HttpTransport = {
  name: 'sse',
  parameters: [],
  matches: request => request.headers.accept?.includes('text/event-stream') === true,

  async serve (stream, request, reply) {
    const closed = new AbortController()
    const compressed = stream.context.compression && acceptsGzip(request.headers['accept-encoding'])
    let coding = identity
    // The plugin sends its own Cache-Control; the protocol asks for more than it.
    reply.raw.flushHeaders = function () {
      this.setHeader('Cache-Control', 'no-cache, no-store, no-transform')
      // Only here: where an application's plugin begins with a line of its own, the stream stays as it began.
      if (compressed) {
        this.setHeader('Content-Encoding', 'gzip')
        coding = gzip
      }
      ServerResponse.prototype.flushHeaders.call(this)
    }
    reply.header('X-Accel-Buffering', 'no')
    // The plugin opens the stream; what it would send is made per client, so the bytes go past it.
    reply.sse(nothingUntil(closed.signal))
    const connection = openConnection(stream, new EventStreamTransport(reply.raw, stream.query.decimals ?? 'string', coding, stream.context))
    reply.raw.socket?.on('drain', () => { connection.onDrain() })
    const gone = (): void => {
      closed.abort()
      reply.sseContext.source.end()
      connection.onClose()
    }
    if (reply.raw.destroyed) gone()
    else reply.raw.on('close', gone)
  }
}

/** An iterator that yields nothing and ends with the signal: the plugin's end of the stream. */
async function * nothingUntil (signal: AbortSignal): AsyncGenerator<never> {
  if (!signal.aborted) await new Promise(resolve => { signal.addEventListener('abort', resolve, { once: true }) })
}
