import { Client } from './client.js'
import type { ClientOptions } from './options.js'
import { eventStream } from './transports/event-stream.js'
import { polling } from './transports/polling.js'
import { webSocket } from './transports/websocket.js'

export * from './public.js'

/** A client that falls back from WebSocket to an event stream, and from there to polling. */
export class TickwireClient extends Client {
  constructor (options: ClientOptions) {
    super(options, [webSocket, eventStream, polling])
  }
}
