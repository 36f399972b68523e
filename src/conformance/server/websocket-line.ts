import { Value } from '@sinclair/typebox/value'
import { clientActions, type ErrorCode, errorTable } from '@tickwire/protocol'
import type { WebSocket } from 'ws'
import { type Asked, askedByAction } from '../asked.js'
import type { Item, Json } from '../notation.js'
import { Failure, type Watch } from '../watch.js'
import { type Grant, HEARTBEAT_MS, type Line } from './line.js'
import { retryFields, type Visit } from './visit.js'

const BATCH = 'tickwire.v1.batch'
const DEFAULT_HEARTBEAT_SECONDS = 25

interface Subscribe {
  readonly action: Json
  readonly asked: readonly Asked[]
}

/** A connection over WebSocket. */
export class WebSocketLine implements Line {
  readonly transport = 'websocket'
  token: string | undefined
  isGone = false
  /** The selectors that the client has unsubscribed. */
  readonly unsubscribed: string[] = []
  pings = 0
  private subscribes: Subscribe[]
  private cursor: string | undefined
  private isFrozen = false
  private fault: Failure | undefined
  private readonly heartbeat = setInterval(() => { this.beat() }, HEARTBEAT_MS)

  /** @param judgeToken returns whether the script lets a token in */
  constructor (
    readonly socket: WebSocket, visit: Visit, private readonly watch: Watch,
    private readonly judgeToken: (token: string) => boolean
  ) {
    this.token = visit.token
    // Whoever subscribes by the query gets one answer for each of its subscriptions.
    this.subscribes = visit.asked.map(asked => ({ action: actionOf(asked), asked: [asked] }))
    socket.on('message', data => { this.take(String(data)) })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isGone = true
      clearInterval(this.heartbeat)
      watch.changed()
    })
    const seconds = visit.query.heartbeat ?? DEFAULT_HEARTBEAT_SECONDS
    this.write([{
      type: 'welcome',
      protocol: 'tickwire.v1',
      connection_id: `script-${Math.round(visit.at)}`,
      server_time: new Date().toISOString(),
      heartbeat_ms: seconds * 1000
    }])
  }

  get pending (): readonly Asked[] {
    if (this.fault !== undefined) throw this.fault
    return this.subscribes.flatMap(({ asked }) => asked)
  }

  grant ({ epoch, refused }: Grant): void {
    for (const { action, asked } of this.subscribes.splice(0)) {
      const isRefused = (selector: string): boolean => refused.has(selector)
      const symbol = (selector: string): string => selector.slice(String(action['channel']).length + 1)
      const granted = asked.filter(({ selector }) => !isRefused(selector))
      this.write([{
        type: 'subscribed',
        ...('id' in action ? { id: action['id'] } : {}),
        subscription_id: `s-${asked[0]!.selector}`,
        channel: action['channel'],
        symbols: 'symbols' in action ? granted.map(({ selector }) => symbol(selector)) : [],
        rejected: asked.filter(({ selector }) => isRefused(selector)).map(({ selector }) => {
          const code = refused.get(selector)!
          return { symbol: symbol(selector), code, message: errorTable[code].message }
        }),
        epoch,
        ...(action['after'] === undefined ? {} : { recovered: true })
      }])
    }
    this.cursor = undefined
  }

  /** Refuses what is pending with an `error`. */
  refusePending (code: ErrorCode, retryAfterMs: number | undefined): void {
    for (const { action } of this.subscribes.splice(0)) {
      this.write([{
        type: 'error',
        ...('id' in action ? { id: action['id'] } : {}),
        code,
        message: errorTable[code].message,
        ...retryFields(retryAfterMs)
      }])
    }
  }

  async send (items: readonly Item[]): Promise<void> {
    this.write(items.map(item => item.kind === 'cursor' ? cursorMessage(item.cursor) : item.json))
    const last = items.at(-1)
    this.cursor = last?.kind === 'cursor' ? last.cursor : undefined
  }

  async cut (): Promise<void> {
    // The client reads all that was written; then the connection ends without a close frame.
    const { _socket: socket } = this.socket as unknown as { _socket: { end: () => void } }
    socket.end()
  }

  async close (code: ErrorCode, retryAfterMs: number | undefined, isSaid: boolean): Promise<number> {
    const at = performance.now()
    const { close, message } = errorTable[code]
    if (isSaid) this.write([{ type: 'closing', code, reason: message, ...retryFields(retryAfterMs) }])
    this.socket.close(close, isSaid ? code : '')
    return at
  }

  freeze (): void {
    this.isFrozen = true
    this.socket.pause()
  }

  dispose (): void {
    clearInterval(this.heartbeat)
    this.socket.terminate()
  }

  private beat (): void {
    if (this.cursor === undefined || this.isFrozen || this.subscribes.length > 0) return
    this.write([{ type: 'heartbeat', timestamp: new Date().toISOString(), cursor: this.cursor }])
  }

  private write (messages: readonly object[]): void {
    if (this.socket.protocol === BATCH) this.socket.send(JSON.stringify(messages))
    else for (const message of messages) this.socket.send(JSON.stringify(message))
  }

  private take (text: string): void {
    const action = readAction(text)
    if (action instanceof Failure) this.fault = action
    else this.perform(action)
    this.watch.changed()
  }

  private perform (action: Json): void {
    const id = 'id' in action ? { id: action['id'] } : {}
    const { channel, symbols } = action
    switch (action['action']) {
      case 'ping':
        this.pings++
        if (!this.isFrozen) this.write([{ type: 'pong', ...id, timestamp: new Date().toISOString() }])
        break
      case 'auth':
        this.token = String(action['token'])
        if (this.judgeToken(this.token)) {
          const expires = new Date(Date.now() + 3_600_000).toISOString()
          this.write([{ type: 'authenticated', ...id, user_id: 'script', expires_at: expires }])
        } else void this.close('unauthorized', undefined, true)
        break
      case 'subscribe':
        this.subscribes.push({ action, asked: askedByAction(action) })
        break
      case 'unsubscribe':
        this.unsubscribed.push(...askedByAction(action).map(({ selector }) => selector))
        this.write([{ type: 'unsubscribed', ...id, channel, ...(symbols === undefined ? {} : { symbols }) }])
        break
    }
  }
}

const cursorMessage = (cursor: string): Json => ({ type: 'cursor', cursor })

function actionOf ({ selector, after }: Asked): Json {
  const [channel, ...symbol] = selector.split(':')
  return { channel, after, ...(symbol.length === 0 ? {} : { symbols: [symbol.join(':')] }) }
}

/** Reads an action, as strictly as the server. */
function readAction (text: string): Json | Failure {
  try {
    const action = JSON.parse(text) as Json
    const schema = clientActions[action['action'] as keyof typeof clientActions]
    if (Value.Check(schema, action)) return action
  } catch {}
  return new Failure(`it sends ${text.slice(0, 300)}, which is no action`)
}
