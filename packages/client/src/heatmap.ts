/** What a server sends for a symbol (docs/compat.md of the server). */
export interface HeatmapSnapshot {
  readonly type: 'snapshot'
  /** As it was subscribed to. */
  readonly symbol: string
  /** ISO 8601. */
  readonly timestamp: string
  readonly data: {
    readonly levels: ReadonlyArray<{
      readonly price: number
      readonly long_density: number
      readonly short_density: number
    }>
    readonly current_price: number
    readonly positions_created?: number
    readonly positions_consumed?: number
  }
}

/** What the server says is wrong; without a code, the connection failed. */
export interface HeatmapError {
  readonly type: 'error'
  readonly code?: string
  readonly message: string
}

/**
 * - `connected`: the server can be reached;
 * - `slow`: the server says that this client does not read what it is sent;
 * - `disconnected`: the connection has ended, and another one may be tried;
 * - `failed`: no attempt is left.
 */
export type HeatmapStatus = 'connected' | 'slow' | 'disconnected' | 'failed'

/** The part of a WebSocket that is used. */
interface Socket {
  readonly readyState: number
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number, readonly reason: string }) => void) | null
  onerror: (() => void) | null
  send (text: string): void
  close (): void
}
type SocketClass = new (url: string) => Socket

export interface HeatmapOptions {
  readonly onSnapshot?: (snapshot: HeatmapSnapshot) => void
  readonly onStatusChange?: (status: HeatmapStatus) => void
  readonly onError?: (error: HeatmapError) => void
  /** How many attempts may fail one after another; default 5. */
  readonly maxReconnectAttempts?: number
  /** The wait before the first new attempt, in milliseconds; it doubles with each failure. Default 2000. */
  readonly reconnectDelay?: number
  /** A WebSocket for surroundings that have none. */
  readonly WebSocket?: unknown
}

const MAX_ATTEMPTS = 5
const FIRST_DELAY_MS = 2000
/** No wait is longer, whatever the options say. */
const LONGEST_DELAY_MS = 60_000
/** How often {@link HeatmapWebSocket.startKeepalive} sends a ping. */
const KEEPALIVE_MS = 30_000
const OPEN = 1

/**
 * Reads the heatmaps of `/ws/heatmap`, for pages that were written against it. It loads nothing else of the
 * client. New pages read the channel `heatmap` with the client itself, which misses nothing.
 */
export class HeatmapWebSocket {
  private socket: Socket | undefined
  private attempts = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private keepalive: ReturnType<typeof setInterval> | undefined
  /** By symbol, the update interval in seconds that was asked for. */
  private readonly subscriptions = new Map<string, number | undefined>()

  /** @param url of the endpoint: `wss://example.org/ws/heatmap`, with `?token=` where it needs one */
  constructor (private readonly url: string, private readonly options: HeatmapOptions = {}) {}

  /** Connects, and connects again when the connection ends, until {@link disconnect}. */
  connect (): void {
    if (this.socket !== undefined) return
    this.attempts = 0
    this.open()
  }

  /** Ends the connection. The subscriptions stay for the next {@link connect}. */
  disconnect (): void {
    clearTimeout(this.timer)
    this.stopKeepalive()
    const { socket } = this
    this.socket = undefined
    this.attempts = 0
    if (socket === undefined) return
    socket.close()
    this.options.onStatusChange?.('disconnected')
  }

  /**
   * Subscribes to symbols, at once or when the connection stands.
   * @param updateInterval the least time between two snapshots of a symbol, in seconds
   */
  subscribe (symbols: readonly string[], updateInterval?: number): void {
    for (const symbol of symbols) this.subscriptions.set(symbol, updateInterval)
    this.ask(symbols, updateInterval)
  }

  unsubscribe (symbols: readonly string[]): void {
    for (const symbol of symbols) this.subscriptions.delete(symbol)
    if (symbols.length > 0) this.send({ action: 'unsubscribe', symbols })
  }

  /** Sends a ping every 30 seconds, for proxies that end silent connections. */
  startKeepalive (): void {
    this.keepalive ??= setInterval(() => { this.send({ action: 'ping' }) }, KEEPALIVE_MS)
  }

  stopKeepalive (): void {
    clearInterval(this.keepalive)
    this.keepalive = undefined
  }

  private open (): void {
    clearTimeout(this.timer)
    const { WebSocket = (globalThis as { WebSocket?: unknown }).WebSocket } = this.options
    if (WebSocket === undefined) {
      throw new TypeError('there is no WebSocket here; give one as the option WebSocket')
    }
    const socket = this.socket = new (WebSocket as SocketClass)(this.url)
    const isCurrent = (): boolean => this.socket === socket
    socket.onopen = () => {
      if (!isCurrent()) return
      this.attempts = 0
      this.options.onStatusChange?.('connected')
      for (const [symbol, interval] of this.subscriptions) this.ask([symbol], interval)
    }
    socket.onmessage = ({ data }) => { if (isCurrent()) this.read(data) }
    socket.onerror = () => {
      if (isCurrent()) this.options.onError?.({ type: 'error', message: 'the connection failed' })
    }
    socket.onclose = () => { if (isCurrent()) this.retry() }
  }

  private ask (symbols: readonly string[], interval: number | undefined): void {
    if (symbols.length === 0) return
    const update = interval === undefined ? {} : { update_interval: interval }
    this.send({ action: 'subscribe', symbols, ...update })
  }

  private send (message: object): void {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(message))
  }

  private read (data: unknown): void {
    const { onSnapshot, onStatusChange, onError } = this.options
    const message = messageOf(data)
    if (message?.type === 'snapshot') onSnapshot?.(message as unknown as HeatmapSnapshot)
    else if (message?.type === 'error') onError?.(message as unknown as HeatmapError)
    else if (message?.type === 'warning' && message.code === 'SLOW_CONSUMER') onStatusChange?.('slow')
  }

  private retry (): void {
    const { maxReconnectAttempts: most = MAX_ATTEMPTS, reconnectDelay = FIRST_DELAY_MS } = this.options
    const { onStatusChange } = this.options
    this.socket = undefined
    onStatusChange?.('disconnected')
    if (this.attempts >= most) {
      onStatusChange?.('failed')
      return
    }
    const bound = Math.min(LONGEST_DELAY_MS, reconnectDelay * 2 ** this.attempts++)
    // Half of it is random, so that pages that were cut at once do not come back at once.
    this.timer = setTimeout(() => { this.open() }, bound * (0.5 + Math.random() / 2))
  }
}

/** Returns a message of the server; undefined for anything else. */
function messageOf (data: unknown): { readonly type?: unknown, readonly code?: unknown } | undefined {
  if (typeof data !== 'string') return undefined
  try {
    return JSON.parse(data) as { readonly type?: unknown }
  } catch {
    return undefined
  }
}
