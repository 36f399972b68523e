import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { AppendOptions, Log } from '../log/log.js'
import { type AppendCall, listResults, parseAppends, type ResultList } from './append-text.js'
import { type Fault, faultOf } from './faults.js'
import { FrameReader, Kind, numberedFrame, readNumbered, textFrame } from './frames.js'
import type { Result } from './methods.js'
import type { Follower } from './shard-feed.js'

/** A worker that has not read this many bytes is cut: it connects again, and goes on from its positions. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024
/** The next part of a result waits while more than this is unsent. */
const PARTS_UNSENT_BYTES = 1024 * 1024

/** What became of one call of `Log.append`. */
export type Appended = [number: number, results: ResultList] | [number: number, failed: null, fault: Fault]

export interface PeerOptions {
  readonly log: Log
  call (method: string, args: readonly unknown[], caller: Follower): Result | Promise<Result>
  /** What was gathered for followers is sent before a result, which may know more. */
  flushFeeds (): void
  onAnswer (number: number, texts: readonly string[]): void
  /** Is called when there is something to flush. */
  onPending (): void
  /** Is called when the worker is cut because it does not read. */
  onSlow (unsent: number): void
  onError (error: unknown, message: string): void
}

/** One worker, as the process sees it that holds the log. */
export class Peer implements Follower {
  private frames: Buffer[] = []
  private appended: Appended[] = []

  constructor (private readonly socket: Socket, private readonly options: PeerOptions) {
    const reader = new FrameReader((kind, body) => { this.take(kind, body) })
    socket.on('data', chunk => {
      try {
        reader.take(chunk)
      } catch (error) {
        options.onError(error, 'a worker sent what cannot be read')
        socket.destroy()
      }
    })
    // What follows is `close`.
    socket.on('error', () => {})
  }

  send (frame: Buffer): void {
    this.frames.push(frame)
    this.options.onPending()
  }

  question (number: number, text: string): void {
    this.send(textFrame(Kind.question, JSON.stringify([number, text])))
  }

  /** Writes what was gathered. */
  flush (): void {
    const { frames, appended, socket } = this
    if (appended.length > 0) {
      this.appended = []
      frames.push(textFrame(Kind.appended, JSON.stringify(appended)))
    }
    if (frames.length === 0 || socket.destroyed) return
    this.frames = []
    socket.cork()
    for (const frame of frames) socket.write(frame)
    socket.uncork()
    if (socket.writableLength <= MAX_UNSENT_BYTES) return
    this.options.onSlow(socket.writableLength)
    socket.destroy()
  }

  close (): void {
    this.socket.destroy()
  }

  private take (kind: Kind, body: Buffer): void {
    switch (kind) {
      case Kind.call: {
        const [number, text] = readNumbered(body)
        void this.answer(number, text.toString())
        return
      }
      case Kind.appends: {
        this.append(parseAppends(body.toString()))
        return
      }
      case Kind.answer: {
        const [number, texts] = JSON.parse(body.toString()) as [number, string[]]
        this.options.onAnswer(number, texts)
        return
      }
      default: throw new Error(`there is no frame of kind ${kind}`)
    }
  }

  private async answer (number: number, text: string): Promise<void> {
    try {
      const [method, ...args] = JSON.parse(text) as [string, ...unknown[]]
      const result = await this.options.call(method, args, this)
      this.options.flushFeeds()
      if (typeof result === 'string') this.send(numberedFrame(Kind.result, number, result))
      else await this.sendParts(number, result)
    } catch (error) {
      this.send(numberedFrame(Kind.failure, number, JSON.stringify(faultOf(error))))
    }
  }

  private async sendParts (number: number, parts: Iterable<string | Buffer>): Promise<void> {
    for (const part of parts) {
      this.send(numberedFrame(Kind.part, number, part))
      await this.hasRoom()
      if (this.socket.destroyed) return
    }
    this.send(numberedFrame(Kind.result, number, ''))
  }

  private async hasRoom (): Promise<void> {
    this.flush()
    if (this.socket.destroyed || this.socket.writableLength < PARTS_UNSENT_BYTES) {
      await new Promise(resolve => { setImmediate(resolve) })
      return
    }
    await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close')])
  }

  /** Appends calls in their order. Calls without conditions that follow one another become one. */
  private append (calls: readonly AppendCall[]): void {
    for (let from = 0; from < calls.length;) {
      let to = from + 1
      const { options } = calls[from]!
      if (options === undefined) while (to < calls.length && calls[to]!.options === undefined) to++
      void this.appendTogether(calls.slice(from, to), options)
      from = to
    }
  }

  private async appendTogether (
    calls: readonly AppendCall[], options: AppendOptions | undefined
  ): Promise<void> {
    const items = calls.length === 1 ? calls[0]!.items : calls.flatMap(({ items }) => items)
    try {
      const results = await this.options.log.append(items, options)
      let from = 0
      for (const { number, items: { length } } of calls) {
        this.appended.push([number, listResults(results.slice(from, from += length))])
      }
    } catch (error) {
      const fault = faultOf(error, options?.fence)
      for (const { number } of calls) this.appended.push([number, null, fault])
    }
    this.options.onPending()
  }
}
