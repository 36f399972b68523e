import type { TickwireClient } from '@tickwire/client'

/** A command of the driver's protocol (docs/clients/conformance.md). */
export interface DriverCommand {
  readonly do: 'connect' | 'subscribe' | 'unsubscribe' | 'close'
  readonly url?: string
  readonly transports?: ReadonlyArray<'websocket' | 'event-stream' | 'polling'>
  readonly token?: string
  readonly tokens?: readonly string[]
  readonly channel?: string
  readonly symbols?: readonly string[]
  readonly throttle_ms?: number
  readonly depth?: number
  readonly last?: number
}

type ClientClass = new (options: ConstructorParameters<typeof TickwireClient>[0]) => TickwireClient
/** A client whose channels are named by any text. */
type Loose = (channel: string, ...more: unknown[]) => ReturnType<TickwireClient['subscribe']>

/**
 * Returns a function that does what a driver is told. It runs in Node and in a page alike.
 * @param more what the surroundings lack
 * @param say writes an event
 */
export function driveClient (
  Client: ClientClass, more: { readonly WebSocket?: unknown }, say: (event: object) => void
): (command: DriverCommand) => void {
  let client: TickwireClient | undefined
  const open = new Map<string, ReturnType<Loose>>()
  const keyOf = ({ channel, symbols }: DriverCommand): string => JSON.stringify([channel, symbols])

  function connect ({ url, transports, token, tokens }: DriverCommand): void {
    let given = 0
    const made = client = new Client({
      url: url!,
      ...(transports === undefined ? {} : { transports }),
      ...(token === undefined ? {} : { token }),
      ...(tokens === undefined ? {} : { getToken: () => tokens[Math.min(given++, tokens.length - 1)] }),
      ...more
    })
    made.on('state', ({ name, reason, code, transport }) => {
      say({ event: 'state', state: name, reason, code, transport })
    })
    made.on('gap', gap => { say({ event: 'gap', ...gap }) })
  }

  function subscribe (command: DriverCommand): void {
    const { channel, symbols, throttle_ms: throttleMs, depth, last } = command
    const options = {
      ...(throttleMs === undefined ? {} : { throttleMs }),
      ...(depth === undefined ? {} : { depth }),
      ...(last === undefined ? {} : { last })
    }
    const loose = client!.subscribe.bind(client) as unknown as Loose
    const subscription = symbols === undefined ? loose(channel!, options) : loose(channel!, symbols, options)
    open.set(keyOf(command), subscription)
    subscription.listen(message => {
      const { channel, symbol, sequence } = message
      if (message.type === 'reset') {
        return say({ event: 'reset', channel, symbol, reason: 'reason' in message ? message.reason : '', sequence })
      }
      const { snapshot, prev, data } = message as { snapshot?: true, prev?: number, data: unknown }
      say({ event: 'message', channel, symbol, sequence, snapshot, prev, data })
    })
    void subscription.result.then(({ granted, rejected }) => {
      if (granted.length > 0) {
        say({ event: 'subscribed', channel, ...(symbols === undefined ? {} : { symbols: granted }) })
      }
      for (const { symbol, code, message } of rejected) {
        say({ event: 'rejected', channel, symbol, code, message })
      }
    })
  }

  return command => {
    switch (command.do) {
      case 'connect': return connect(command)
      case 'subscribe': return subscribe(command)
      case 'unsubscribe':
        open.get(keyOf(command))?.close()
        open.delete(keyOf(command))
        return
      case 'close': client?.close()
    }
  }
}
