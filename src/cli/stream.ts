import { type Message, type Reset, type State, type Subscription, TickwireClient } from '@tickwire/client'
import { formatStreamQuery, standardChannels, type SubscribeParameter } from '@tickwire/protocol'
import { WebSocket } from 'ws'
import { withDeadline } from '../deadline.js'
import { CommandError } from './command.js'
import { advice, isPassing, refusalOf, type Server, unreachable } from './server.js'

/** The transports over which a command reads the stream, by what its flag calls them. */
const TRANSPORTS = { ws: 'websocket', sse: 'event-stream', poll: 'polling' } as const

export type TransportName = keyof typeof TRANSPORTS
export const transportNames = Object.keys(TRANSPORTS) as TransportName[]

/** How long a server may take to say why there is no stream. */
const ANSWER_MS = 5000
/** How long a closing handshake may take: a server that is gone must not keep the command from ending. */
const CLOSE_MS = 1000

class BriefWebSocket extends WebSocket {
  override close (code?: number, reason?: string | Buffer): void {
    super.close(code, reason)
    setTimeout(() => { this.terminate() }, CLOSE_MS).unref()
  }
}

export interface Follow {
  readonly server: Server
  /** Undefined: the first that works. */
  readonly transport: TransportName | undefined
  readonly subscribe: readonly SubscribeParameter[]
  readonly throttleMs: number | undefined
  readonly after: string | undefined
  readonly signal: AbortSignal
  readonly onMessage: (message: Message) => void
  readonly onReset: (reset: Reset) => void
  /** The cursor covers every message before it. */
  readonly onCursor: (cursor: string) => void
  /** Receives notices that are not data: a connection broke off, and when the next one follows. */
  readonly onNotice: (notice: string) => void
}

/**
 * Gives what the client of Tickwire gives, through every reconnect; ends with the signal.
 * @throws CommandError if trying again cannot help
 */
export async function follow (options: Follow): Promise<void> {
  const { server, transport, after, signal } = options
  const transports = transport === undefined ? Object.values(TRANSPORTS) : [TRANSPORTS[transport]]
  const client = new TickwireClient({
    url: server.url,
    transports,
    WebSocket: BriefWebSocket,
    ...(server.token === undefined ? {} : { token: server.token }),
    ...(after === undefined ? {} : { after })
  })
  try {
    await new Promise<void>((resolve, reject) => {
      // At once: what else is in the answer of a poll must not follow the last message that was wanted.
      const end = (): void => { client.close(); resolve() }
      if (signal.aborted) return end()
      signal.addEventListener('abort', end)
      client.on('cursor', options.onCursor)
      client.on('gap', ({ sequence, ...topic }) => {
        const missing = `${topicOf(topic)}: messages before ${sequence} are missing`
        options.onNotice(`${missing}, and the server sent no reset; going back for them`)
      })
      tellStates(client, options, transports[0]!, reject)
      subscribe(client, options, reject)
    })
  } finally {
    client.close()
  }
}

function subscribe (client: TickwireClient, options: Follow, fail: (error: CommandError) => void): void {
  let before: Message | Reset | undefined
  const take = (event: Message | Reset): void => {
    // Topics that two subscriptions name come to both, one right after the other.
    if (event === before) return
    before = event
    if (event.type === 'reset') options.onReset(event as Reset)
    else options.onMessage(event as Message)
  }
  for (const parameter of options.subscribe) {
    const subscription = subscriptionOf(client, parameter, options.throttleMs)
    subscription.listen(take)
    void subscription.result.then(({ rejected: [first] }) => {
      if (first !== undefined) fail(refused(first.code, first.message))
    })
  }
}

function subscriptionOf (
  client: TickwireClient, { channel, symbols, throttleMs, depth, last }: SubscribeParameter,
  forAll: number | undefined
): Subscription {
  const definition = standardChannels.get(channel)
  const canThrottle = definition === undefined || definition.merge !== undefined
  const throttle = throttleMs ?? (canThrottle ? forAll : undefined)
  const options = {
    ...(throttle === undefined ? {} : { throttleMs: throttle }),
    ...(depth === undefined ? {} : { depth }),
    ...(last === undefined ? {} : { last })
  }
  // The command takes any channel; the server says which ones there are.
  if (symbols === undefined) return client.subscribe(channel as 'news', options)
  return client.subscribe(channel as 'quotes', symbols, options)
}

const refused = (code: string, message: string): CommandError =>
  new CommandError(`${code}: ${message}${advice(code)}`)

/** Tells what becomes of the connection, and fails where trying again cannot help. */
function tellStates (
  client: TickwireClient, options: Follow, preferred: State['transport'], fail: (error: unknown) => void
): void {
  const { onNotice, signal } = options
  let connected = false
  let used = preferred
  const tellWait = ({ code, retryInMs = 0 }: State): void => {
    const said = code === undefined ? '' : ` (${code})`
    const what = connected ? 'the connection ended' : 'there is no connection yet'
    onNotice(`${what}${said}; connecting again in ${retryInMs} ms`)
  }
  client.on('state', state => {
    const { name, reason, code, transport } = state
    if (signal.aborted) return
    if (name === 'catching_up') {
      connected = true
      if (transport !== used) onNotice(`the stream comes over ${transport} now`)
      used = transport
    }
    if (name === 'closed') fail(refused(String(code), String(reason)))
    if (name !== 'offline') return
    if (connected || code !== undefined) return tellWait(state)
    askWhy(options).then(() => { if (!signal.aborted) tellWait(state) }, fail)
  })
}

/** If no connection was ever made, the command line may be wrong: a poll tells. @throws CommandError */
async function askWhy ({ server, subscribe, signal }: Follow): Promise<void> {
  const url = `${server.url}/v1/stream?${formatStreamQuery({ subscribe })}`
  const { headers } = server
  try {
    const { ok, status, body } = await withDeadline(signal, ANSWER_MS, async signal => {
      const response = await fetch(url, { headers, signal })
      return { ok: response.ok, status: response.status, body: await response.text() }
    })
    if (ok) return
    const { code, message } = refusalOf(status, body, undefined)
    if (!isPassing(code)) throw refused(code, message)
  } catch (error) {
    if (signal.aborted) return
    throw error instanceof CommandError ? error : unreachable(server, error)
  }
}

/** Returns the topic of a message, as it is written: `quotes:AAPL`, `news`. */
export const topicOf = ({ channel, symbol }: {
  readonly channel: string
  readonly symbol?: string | undefined
}): string => symbol === undefined ? channel : `${channel}:${symbol}`
