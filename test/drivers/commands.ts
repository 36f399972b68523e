import type { Message, Reset, TickwireClient } from '@tickwire/client'

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
  const said = new WeakSet<object>()
  /** By topic, what was said last. */
  const newest = new Map<string, string>()
  const keyOf = (...names: Array<string | undefined>): string => JSON.stringify(names)

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

  /** A subscription for each symbol, so that each can be ended. */
  function subscribe (command: DriverCommand): void {
    const { channel, symbols, throttle_ms: throttleMs, depth, last } = command
    const options = {
      ...(throttleMs === undefined ? {} : { throttleMs }),
      ...(depth === undefined ? {} : { depth }),
      ...(last === undefined ? {} : { last })
    }
    const loose = client!.subscribe.bind(client) as unknown as Loose
    for (const named of symbols?.map(symbol => [symbol]) ?? [undefined]) {
      const subscription = named === undefined ? loose(channel!, options) : loose(channel!, named, options)
      open.set(keyOf(channel, named?.[0]), subscription)
      subscription.listen(sayEvent)
      void subscription.result.then(({ granted, rejected }) => {
        if (granted.length > 0) say({ event: 'subscribed', channel, ...(named === undefined ? {} : { symbols: named }) })
        for (const { symbol, code, message } of rejected) {
          say({ event: 'rejected', channel, symbol, code, message })
        }
      })
    }
  }

  /** Several subscriptions may read a topic, and each gets its events; the driver says them once. */
  function sayEvent (event: Message | Reset): void {
    const { channel, symbol, sequence } = event
    if (said.has(event)) return
    said.add(event)
    const held = client!.inspect().topics[symbol === undefined ? channel : `${channel}:${symbol}`]
    const text = JSON.stringify([channel, symbol, sequence, 'data' in event ? event.data : undefined])
    // A subscription to a topic that another one reads begins with what is held of it.
    if (open.size > 1 && held === sequence && text === newest.get(`${channel}:${symbol}`)) return
    newest.set(`${channel}:${symbol}`, text)
    if ('reason' in event) return say({ event: 'reset', channel, symbol, reason: event.reason, sequence })
    const { snapshot, prev, data } = event
    say({ event: 'message', channel, symbol, sequence, snapshot, prev, data })
  }

  function unsubscribe ({ channel, symbols }: DriverCommand): void {
    for (const symbol of symbols ?? [undefined]) {
      const key = keyOf(channel, symbol)
      open.get(key)?.close()
      open.delete(key)
    }
  }

  return command => {
    switch (command.do) {
      case 'connect': return connect(command)
      case 'subscribe': return subscribe(command)
      case 'unsubscribe': return unsubscribe(command)
      case 'close': client?.close()
    }
  }
}
