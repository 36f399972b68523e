import { connect, type Socket } from 'node:net'
import { ProtocolError } from '@tickwire/protocol'
import type { AppendItem, AppendOptions, AppendResult } from '../log/log.js'
import { type AppendCall, appendText, readResults } from './append-text.js'
import { errorOf, type Fault } from './faults.js'
import {
  FrameReader, Kind, LOCAL_VERSION, numberedFrame, readBatch, readNumbered, textFrame
} from './frames.js'
import type { Welcome } from './methods.js'
import type { Appended } from './peer.js'

/** How long a call may wait for its next answer: a busy machine may hold the other process up. */
const CALL_PATIENCE_MS = 5000
/** How long an append may wait. */
const APPEND_PATIENCE_MS = 2000
const SWEEP_MS = 200
/** How long after the socket was lost, or could not be opened, it is opened again. */
const RECONNECT_MS = 50
/** How often the other process is asked whether it still answers, and how long it may take. */
const PING_MS = 1000
/** How long the log may not answer until watchers hear of it. */
const GRACE_MS = 500
/** Characters of payload of appends without an answer: how far publishers may be ahead of the log. */
const MAX_WAITING_LENGTH = 64 * 1024 * 1024
/** Characters of payload in one frame of appends, unless one call has more. */
const MAX_FRAME_LENGTH = 1024 * 1024

const UNSURE = 'the log did not answer in time; it may have the message or not'

interface Call {
  readonly parts: Buffer[]
  deadline: number
  resolve (parts: Buffer[]): void
  reject (error: Error): void
}

interface Append extends AppendCall {
  readonly length: number
  readonly deadline: number
  resolve (results: AppendResult[]): void
  reject (error: Error): void
}

export interface LinkListener {
  /** The socket is open, for the first time or again: what was sent before the last loss may be lost. */
  onConnect (): void
}

/**
 * A worker's connection to the process that holds the log. If it is lost, calls fail with `log_unavailable`,
 * and it is opened again.
 */
export class LocalLink {
  welcome!: Welcome
  readonly listeners = new Set<LinkListener>()
  onBatch: (shard: number, text: string) => void = () => {}
  onQuestion: (question: string) => readonly string[] = () => []
  private readonly watchers = new Set<(available: boolean) => void>()
  private socket: Socket | undefined
  private readonly calls = new Map<number, Call>()
  private readonly appends = new Map<number, Append>()
  private gathered: Append[] = []
  private gathering: NodeJS.Immediate | undefined
  private appendLength = 0
  private numbers = 0
  private isUp = false
  /** Since when the log does not answer, a time of `performance.now`. */
  private failingSince: number | undefined
  private isAvailable = true
  private retry: NodeJS.Timeout | undefined
  private readonly sweeper: NodeJS.Timeout
  private readonly pinger: NodeJS.Timeout
  private closed = false

  private constructor (
    private readonly path: string,
    private readonly onError: (error: unknown, message: string) => void
  ) {
    this.sweeper = setInterval(() => { this.sweep() }, SWEEP_MS).unref()
    this.pinger = setInterval(() => { this.ping() }, PING_MS).unref()
  }

  /** @throws Error if the process cannot be reached, or speaks another version */
  static async open (
    path: string, onError: (error: unknown, message: string) => void
  ): Promise<LocalLink> {
    const link = new LocalLink(path, onError)
    try {
      await link.connect()
    } catch (error) {
      link.close()
      throw error
    }
    return link
  }

  /**
   * Calls a method, and returns its result as text.
   * @throws ProtocolError `log_unavailable`; what the method threw
   */
  async call (method: string, ...args: readonly unknown[]): Promise<string> {
    const parts = await this.callParts(method, ...args)
    return parts.length === 1 ? parts[0]!.toString() : Buffer.concat(parts).toString()
  }

  /** Calls a method, and returns the parts of its result. @throws as {@link call} */
  async callParts (method: string, ...args: readonly unknown[]): Promise<readonly Buffer[]> {
    if (!this.isUp) throw new ProtocolError('log_unavailable')
    return await this.send(method, args)
  }

  /** See `Coordination.ask`. */
  async ask (question: string, withinMs: number): Promise<readonly string[]> {
    if (!this.isUp) throw new ProtocolError('log_unavailable')
    const [text] = await this.send('ask', [question, withinMs], withinMs + CALL_PATIENCE_MS)
    return JSON.parse(String(text)) as string[]
  }

  /** See `Log.append`. */
  async append (
    items: readonly AppendItem[], options: AppendOptions | undefined
  ): Promise<readonly AppendResult[]> {
    if (!this.isUp) throw new ProtocolError('log_unavailable')
    if (this.appendLength > MAX_WAITING_LENGTH) {
      throw new ProtocolError('overloaded', 'the log takes messages more slowly than they come')
    }
    return await new Promise<AppendResult[]>((resolve, reject) => {
      let length = 0
      for (const { payload } of items) length += payload.length
      this.appendLength += length
      const deadline = performance.now() + APPEND_PATIENCE_MS
      this.gathered.push({ number: ++this.numbers, items, options, length, deadline, resolve, reject })
      // At the end of the turn of the event loop, so that all that comes in the same turn goes together.
      this.gathering ??= setImmediate(() => { this.sendAppends() })
    })
  }

  /** See `Log.watch`. */
  watch (onChange: (available: boolean) => void): () => void {
    this.watchers.add(onChange)
    return () => { this.watchers.delete(onChange) }
  }

  close (): void {
    this.closed = true
    this.isUp = false
    clearInterval(this.sweeper)
    clearInterval(this.pinger)
    clearTimeout(this.retry)
    this.watchers.clear()
    this.listeners.clear()
    this.failAll()
    this.socket?.destroy()
  }

  private async connect (): Promise<void> {
    const socket = connect(this.path)
    this.socket = socket
    const reader = new FrameReader((kind, body) => { this.take(kind, body) })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject).once('connect', resolve)
    })
    // What follows is `close`.
    socket.on('error', () => {})
    socket.on('data', chunk => { reader.take(chunk) })
    socket.once('close', () => { this.lost(socket) })
    const [text] = await this.send('hello', [])
    this.welcome = JSON.parse(String(text)) as Welcome
    if (this.welcome.version !== LOCAL_VERSION) {
      throw new Error('the process that holds the log runs another version of the program: ' +
        'it cannot be changed by SIGHUP, but by a restart of the whole server')
    }
    this.isUp = true
    this.answered()
    for (const { onConnect } of this.listeners) onConnect()
  }

  private lost (socket: Socket): void {
    if (this.socket !== socket || this.closed) return
    const { isUp } = this
    this.isUp = false
    this.failed()
    this.failAll()
    // If it was not up yet, whoever connected tries again.
    if (isUp) this.connectSoon()
  }

  private connectSoon (): void {
    if (this.closed) return
    this.retry = setTimeout(() => {
      this.connect().catch((error: unknown) => {
        this.failed(error)
        this.socket?.destroy()
        this.connectSoon()
      })
    }, RECONNECT_MS)
  }

  private async send (
    method: string, args: readonly unknown[], patienceMs = CALL_PATIENCE_MS
  ): Promise<Buffer[]> {
    return await new Promise((resolve, reject) => {
      const number = ++this.numbers
      const deadline = performance.now() + patienceMs
      this.calls.set(number, { parts: [], deadline, resolve, reject })
      this.socket!.write(numberedFrame(Kind.call, number, JSON.stringify([method, ...args])))
    })
  }

  private sendAppends (): void {
    this.gathering = undefined
    const calls = this.gathered
    this.gathered = []
    for (let from = 0; from < calls.length;) {
      let length = 0
      let to = from
      while (to < calls.length && length < MAX_FRAME_LENGTH) length += calls[to++]!.length
      const frame = calls.slice(from, to)
      for (const call of frame) this.appends.set(call.number, call)
      this.socket!.write(textFrame(Kind.appends, appendText(frame)))
      from = to
    }
  }

  private take (kind: Kind, body: Buffer): void {
    switch (kind) {
      case Kind.batch: {
        const { shard, text } = readBatch(body)
        this.onBatch(shard, text)
        return
      }
      case Kind.appended: {
        for (const appended of JSON.parse(body.toString()) as Appended[]) this.settle(appended)
        return
      }
      case Kind.question: {
        const [number, question] = JSON.parse(body.toString()) as [number, string]
        this.socket!.write(textFrame(Kind.answer, JSON.stringify([number, this.onQuestion(question)])))
        return
      }
      default: {
        const [number, rest] = readNumbered(body)
        const call = this.calls.get(number)
        if (call === undefined) return
        if (kind === Kind.failure) {
          this.calls.delete(number)
          call.reject(errorOf(JSON.parse(rest.toString()) as Fault))
          return
        }
        if (rest.length > 0) call.parts.push(rest)
        call.deadline = performance.now() + CALL_PATIENCE_MS
        if (kind !== Kind.result) return
        this.calls.delete(number)
        call.resolve(call.parts)
      }
    }
  }

  private settle ([number, results, fault]: Appended): void {
    const append = this.appends.get(number)
    if (append === undefined) return
    this.forget(append)
    if (results === null) append.reject(errorOf(fault!))
    else append.resolve(readResults(results))
  }

  private forget ({ number, length }: Append): void {
    this.appends.delete(number)
    this.appendLength -= length
  }

  private failAll (): void {
    clearImmediate(this.gathering)
    this.gathering = undefined
    for (const { reject } of this.calls.values()) reject(new ProtocolError('log_unavailable'))
    this.calls.clear()
    for (const append of this.gathered) {
      this.appendLength -= append.length
      append.reject(new ProtocolError('log_unavailable'))
    }
    this.gathered = []
    for (const append of [...this.appends.values()]) {
      this.forget(append)
      append.reject(new ProtocolError('log_unavailable', UNSURE))
    }
  }

  /** Refuses what waits for too long. */
  private sweep (): void {
    const now = performance.now()
    for (const [number, { deadline, reject }] of this.calls) {
      if (deadline > now) continue
      this.calls.delete(number)
      reject(new ProtocolError('log_unavailable'))
    }
    // Appends wait in the order of their deadlines.
    for (const append of this.appends.values()) {
      if (append.deadline > now) break
      this.forget(append)
      append.reject(new ProtocolError('log_unavailable', UNSURE))
    }
    const since = this.failingSince
    if (since !== undefined && now - since >= GRACE_MS) this.setAvailable(false)
  }

  private ping (): void {
    if (!this.isUp) return
    const late = setTimeout(() => { this.failed() }, PING_MS)
    this.send('ping', []).then(() => { this.answered() }, () => {}).finally(() => { clearTimeout(late) })
  }

  private failed (error?: unknown): void {
    if (this.failingSince !== undefined || this.closed) return
    this.failingSince = performance.now()
    this.onError(error ?? new Error('it does not answer'), 'the process that holds the log cannot be reached')
  }

  private answered (): void {
    this.failingSince = undefined
    this.setAvailable(true)
  }

  private setAvailable (available: boolean): void {
    if (this.isAvailable === available) return
    this.isAvailable = available
    for (const watcher of this.watchers) watcher(available)
  }
}
