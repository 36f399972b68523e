import { type Message, type Reset, type Subscription, TickwireClient } from '@tickwire/client'
import type { Test } from 'tap'
import { WebSocket } from 'ws'

export type ClientTransport = 'websocket' | 'event-stream' | 'polling'
export const clientTransports: readonly ClientTransport[] = ['websocket', 'event-stream', 'polling']

type Options = ConstructorParameters<typeof TickwireClient>[0]

/** The project's own client, as it runs in Node 20; it is closed when the test ends. */
export function openTickwire (t: Test, url: string, options: Partial<Options> = {}): TickwireClient {
  const client = new TickwireClient({ url, WebSocket, ...options })
  t.teardown(() => { client.close() })
  return client
}

/** What a subscription gave its application. */
export interface Read {
  readonly messages: Message[]
  readonly resets: Reset[]
  /** Sequences, with the reason of a reset in its place. */
  readonly order: Array<number | string>
}

export function readAll (subscription: Subscription): Read {
  const read: Read = { messages: [], resets: [], order: [] }
  subscription.onMessage(message => {
    read.messages.push(message)
    read.order.push(message.sequence)
  })
  subscription.onReset(reset => {
    read.resets.push(reset)
    read.order.push(reset.reason)
  })
  return read
}
