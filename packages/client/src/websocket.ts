import { Client } from './client.js'
import type { ClientOptions } from './options.js'
import { webSocket } from './transports/websocket.js'

export * from './public.js'

/** A client that knows WebSocket alone, and is smaller for it. */
export class TickwireClient extends Client {
  constructor (options: ClientOptions) {
    super(options, [webSocket])
  }
}
