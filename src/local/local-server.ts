import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../config.js'
import type { Coordination } from '../coordination/coordination.js'
import type { Log } from '../log/log.js'
import { methodsOf } from './methods.js'
import { Peer } from './peer.js'
import { ShardFeed } from './shard-feed.js'

/** Where the socket may be: a container may have no folder that can be written but the last. */
const PLACES = [tmpdir(), '/dev/shm']
const EXPIRE_MS = 1000

export interface LocalServerOptions {
  readonly log: Log
  readonly coordination: Coordination
  /** Whether the log is lost when this process ends. */
  readonly isVolatile: boolean
  /** Bytes of the newest messages that are kept a second time, as they are sent. */
  readonly recentBytes: number
  readonly onError: (error: unknown, message: string) => void
}

/** A question to all workers. */
interface Asked {
  readonly answers: string[]
  readonly waiting: Set<Peer>
  readonly done: () => void
}

/**
 * Serves a log and a coordination to the other processes of this server, over a socket in a folder that only
 * this user may enter (ADR 64).
 */
export class LocalServer {
  private readonly peers = new Set<Peer>()
  private readonly asked = new Map<number, Asked>()
  private questions = 0
  private feeds: readonly ShardFeed[] = []
  private turn: NodeJS.Immediate | undefined
  private readonly expiry: NodeJS.Timeout
  private readonly server: Server

  private constructor (private readonly options: LocalServerOptions, private readonly folder: string) {
    this.server = createServer(socket => { this.welcome(socket) })
    const expire = (): void => { for (const { recent } of this.feeds) recent.expire() }
    this.expiry = setInterval(expire, EXPIRE_MS).unref()
  }

  /** @throws ConfigError if there is no place for the socket */
  static async listen (options: LocalServerOptions): Promise<LocalServer> {
    const server = new LocalServer(options, await privateFolder())
    const { log, recentBytes } = options
    const onPending = (): void => { server.schedule() }
    server.feeds = Array.from({ length: log.shards }, (_, shard) =>
      new ShardFeed(shard, recentBytes / log.shards, () => performance.now(), onPending))
    await Promise.all(server.feeds.map(feed => feed.start(log)))
    await new Promise<void>((resolve, reject) => {
      server.server.once('error', reject).listen(server.path, resolve)
    })
    return server
  }

  /** The path of the socket. */
  get path (): string {
    return join(this.folder, 'log')
  }

  async close (): Promise<void> {
    clearInterval(this.expiry)
    clearImmediate(this.turn)
    for (const feed of this.feeds) feed.close()
    const closed = new Promise(resolve => { this.server.close(resolve) })
    for (const peer of this.peers) peer.close()
    await closed
    await rm(this.folder, { recursive: true, force: true })
  }

  private welcome (socket: Socket): void {
    const { log, coordination, isVolatile, onError } = this.options
    const { feeds } = this
    const methods = methodsOf({
      log, coordination, feeds, isVolatile, ask: (question, withinMs) => this.ask(question, withinMs)
    })
    const peer = new Peer(socket, {
      log,
      call (method, args, caller) {
        const found = methods[method]
        if (found === undefined) throw new Error(`there is no method ${method}`)
        return found(args, caller)
      },
      flushFeeds () { for (const feed of feeds) feed.flush() },
      onAnswer: (number, texts) => { this.takeAnswer(peer, number, texts) },
      onPending: () => { this.schedule() },
      onSlow: unsent => {
        const error = new Error(`${unsent} bytes are unsent`)
        onError(error, 'a worker does not read the log: it is cut, and goes on from where it was')
      },
      onError
    })
    this.peers.add(peer)
    socket.once('close', () => {
      this.peers.delete(peer)
      for (const { followers } of feeds) followers.delete(peer)
      for (const number of this.asked.keys()) this.takeAnswer(peer, number, [])
    })
  }

  /** Sends what this turn of the event loop brought, at its end. */
  private schedule (): void {
    this.turn ??= setImmediate(() => {
      this.turn = undefined
      for (const feed of this.feeds) feed.flush()
      for (const peer of this.peers) peer.flush()
      // Feeds and peers ask for another turn when they are given something; now nothing waits.
      clearImmediate(this.turn)
      this.turn = undefined
    })
  }

  private async ask (question: string, withinMs: number): Promise<readonly string[]> {
    const number = ++this.questions
    const answers: string[] = []
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, withinMs)
      const done = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.asked.set(number, { answers, waiting: new Set(this.peers), done })
      for (const peer of this.peers) peer.question(number, question)
    })
    this.asked.delete(number)
    return answers
  }

  private takeAnswer (peer: Peer, number: number, texts: readonly string[]): void {
    const asked = this.asked.get(number)
    if (asked === undefined || !asked.waiting.delete(peer)) return
    asked.answers.push(...texts)
    if (asked.waiting.size === 0) asked.done()
  }
}

/** Makes a folder that only this user may enter. */
async function privateFolder (): Promise<string> {
  for (const place of PLACES) {
    try {
      return await mkdtemp(join(place, 'tickwire-'))
    } catch {
      // The next one may be better.
    }
  }
  throw new ConfigError(`no folder can be made in ${PLACES.join(' or ')}, ` +
    'and workers reach the log over a socket there: set TMPDIR to a folder that can be written, or WORKERS=1')
}
