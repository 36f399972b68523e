import { ServerResponse } from 'node:http'
import { openConnection } from '../stream-request.js'
import type { HttpTransport } from '../transport.js'
import { EventStreamTransport } from './event-stream-transport.js'

export const eventStreamTransport: HttpTransport = {
  name: 'sse',
  parameters: [],
  matches: request => request.headers.accept?.includes('text/event-stream') === true,

  async serve (stream, request, reply) {
    const closed = new AbortController()
    // The plugin sends its own Cache-Control; the protocol asks for more than it.
    reply.raw.flushHeaders = function () {
      this.setHeader('Cache-Control', 'no-cache, no-store, no-transform')
      ServerResponse.prototype.flushHeaders.call(this)
    }
    reply.header('X-Accel-Buffering', 'no')
    // The plugin opens the stream; what it would send is made per client, so the bytes go past it.
    reply.sse(nothingUntil(closed.signal))
    const transport = new EventStreamTransport(reply.raw, stream.context)
    const events = { closed: false }
    reply.raw.on('close', () => {
      events.closed = true
      closed.abort()
      reply.sseContext.source.end()
    })
    if (request.raw.destroyed || reply.raw.destroyed) {
      stream.place.release()
      return
    }
    let connection: ReturnType<typeof openConnection> | undefined
    transport.connect({
      onText: () => {},
      onBinary: () => {},
      onDrain: () => { connection?.onDrain() },
      onClose: () => { connection?.onClose() }
    })
    connection = openConnection(stream, transport)
    if (events.closed) connection.onClose()
  }
}

/** An iterator that yields nothing and ends with the signal: the plugin's end of the stream. */
async function * nothingUntil (signal: AbortSignal): AsyncGenerator<never> {
  if (!signal.aborted) await new Promise(resolve => { signal.addEventListener('abort', resolve, { once: true }) })
}
