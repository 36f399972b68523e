import { setTimeout as delay } from 'node:timers/promises'
import { BATCH_SUBPROTOCOL, type ErrorCode, errorTable } from '@tickwire/protocol'
import { WebSocket } from 'ws'
import { CommandError } from './command.js'
import { advice, isPassing, refusalOf, type Server, unreachable } from './server.js'

/** The transports over which a command reads the stream, through every reconnect. */
export type TransportName = 'ws' | 'sse' | 'poll'
export const transportNames: readonly TransportName[] = ['ws', 'sse', 'poll']

export interface StreamMessage {
  readonly type: string
  readonly [field: string]: unknown
}

/** Why a connection ended, as far as the server has said so. */
interface Ended {
  readonly code?: ErrorCode
  readonly message?: string
  readonly retryAfterMs?: number
}

type Item = { readonly message: StreamMessage } | { readonly cursor: string }

/**
 * Opens one connection, yields what arrives, and returns why it ended.
 * @throws CommandError, TypeError of the network
 */
type Connect = (server: Server, query: string, signal: AbortSignal) => AsyncGenerator<Item, Ended>

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 10_000
const POLL_WAIT_SECONDS = 20
/** The pause between two polls: a busy topic has answers ready for more requests than a client may make. */
const POLL_PAUSE_MS = 50

export interface Follow {
  readonly server: Server
  readonly transport: TransportName
  /** The query without `after`. */
  readonly query: string
  readonly after: string | undefined
  readonly signal: AbortSignal
  /** Receives notices that are not data: a connection broke off, and when the next one follows. */
  readonly onNotice: (notice: string) => void
  readonly onCursor: (cursor: string) => void
}

/**
 * Yields every message except cursors and heartbeats, and resumes after each break; ends with the signal.
 * @throws CommandError if trying again cannot help
 */
export async function * follow (
  { server, transport, query, after, signal, onNotice, onCursor }: Follow
): AsyncGenerator<StreamMessage> {
  let cursor = after
  let retryMs = FIRST_RETRY_MS
  let connected = false
  while (!signal.aborted) {
    let ended: Ended = {}
    try {
      const position = cursor === undefined ? query : `${query}&after=${cursor}`
      const connection = connects[transport](server, position, signal)
      for (;;) {
        const { done, value } = await connection.next()
        if (done === true) {
          ended = value
          break
        }
        connected = true
        retryMs = FIRST_RETRY_MS
        if ('cursor' in value) onCursor(cursor = value.cursor)
        else yield value.message
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof CommandError) throw error
      // If the server has never answered, the command line is wrong; nothing broke off.
      if (!connected) throw unreachable(server, error)
    }
    if (signal.aborted) return
    if (ended.code !== undefined && !isPassing(ended.code)) {
      throw new CommandError(`${ended.code}: ` +
        `${ended.message ?? errorTable[ended.code].message}${advice(ended.code)}`)
    }
    const wait = ended.retryAfterMs ?? Math.random() * retryMs
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
    const code = ended.code === undefined ? '' : ` (${ended.code})`
    onNotice(`the connection ended${code}; connecting again in ${Math.round(wait)} ms`)
    await delay(wait, undefined, { signal }).catch(() => {})
  }
}

async function * overWebSocket (
  server: Server, query: string, signal: AbortSignal
): AsyncGenerator<Item, Ended> {
  const address = `${server.url.replace('http', 'ws')}/v1/stream?${query}`
  const socket = new WebSocket(address, BATCH_SUBPROTOCOL, { headers: server.headers, signal } as object)
  const arrived: Item[] = []
  const state = { over: false }
  let failure: Error | undefined
  let ended: Ended = {}
  let wake = (): void => {}
  socket.on('message', data => {
    for (const message of [JSON.parse(String(data)) as StreamMessage].flat()) {
      arrived.push(...itemsOf(message, closing => { ended = closing }))
    }
    wake()
  })
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.on('data', chunk => { body += String(chunk) })
    response.on('end', () => {
      ended = refusalOf(response.statusCode ?? 500, body, response.headers['retry-after'])
      state.over = true
      wake()
    })
  })
  socket.on('error', error => { failure = error; state.over = true; wake() })
  socket.on('close', () => { state.over = true; wake() })
  const abort = (): void => { socket.terminate() }
  signal.addEventListener('abort', abort)
  try {
    while (!state.over || arrived.length > 0) {
      const item = arrived.shift()
      if (item !== undefined) yield item
      else if (!state.over) await new Promise<void>(resolve => { wake = resolve })
    }
    if (failure !== undefined && ended.code === undefined) throw failure
    return ended
  } finally {
    signal.removeEventListener('abort', abort)
    socket.terminate()
  }
}

async function * overEventStream (
  server: Server, query: string, signal: AbortSignal
): AsyncGenerator<Item, Ended> {
  const headers = { ...server.headers, accept: 'text/event-stream' }
  const response = await fetch(`${server.url}/v1/stream?${query}`, { headers, signal })
  if (!response.ok) {
    return refusalOf(response.status, await response.text(), response.headers.get('retry-after'))
  }
  let ended: Ended = {}
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body!) {
    const events = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n')
    rest = events.pop()!
    for (const event of events) {
      const lines = event.split('\n')
      const field = (name: string): string | undefined =>
        lines.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const data = field('data')
      if (field('event') === 'cursor') yield { cursor: data! }
      else if (data !== undefined) {
        yield * itemsOf(JSON.parse(data) as StreamMessage, closing => { ended = closing })
      }
    }
  }
  return ended
}

async function * overPolls (server: Server, query: string, signal: AbortSignal): AsyncGenerator<Item, Ended> {
  // `fresh` is for the first answer; later polls leave it out.
  for (let next = query; ;) {
    const address = `${server.url}/v1/stream?${next}&wait=${POLL_WAIT_SECONDS}`
    const response = await fetch(address, { headers: server.headers, signal })
    if (!response.ok) {
      return refusalOf(response.status, await response.text(), response.headers.get('retry-after'))
    }
    const { cursor, messages } = await response.json() as { cursor: string, messages: StreamMessage[] }
    for (const message of messages) yield { message }
    yield { cursor }
    await delay(POLL_PAUSE_MS, undefined, { signal })
    next = `${query.replace(/&after=[^&]*/, '').replaceAll('%3Bfresh', '')}&after=${cursor}`
  }
}

const connects: Readonly<Record<TransportName, Connect>> = {
  ws: overWebSocket, sse: overEventStream, poll: overPolls
}

function itemsOf (message: StreamMessage, onClosing: (ended: Ended) => void): Item[] {
  switch (message.type) {
    case 'cursor': return [{ cursor: String(message['cursor']) }]
    case 'heartbeat': return [{ cursor: String(message['cursor']) }]
    case 'closing': {
      const retry = message['retry_after_ms']
      onClosing({
        code: message['code'] as ErrorCode,
        message: String(message['reason']),
        ...(typeof retry === 'number' ? { retryAfterMs: retry } : {})
      })
      return []
    }
    default: return [{ message }]
  }
}
