import cluster from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { AdminLinks } from '../auth/admin-links.js'
import { allChannels } from '../channels.js'
import { checkKeySettings, type Config, streamingSettings } from '../config.js'
import type { Coordination } from '../coordination/coordination.js'
import { errorFields } from '../errors.js'
import { faultOf } from '../local/faults.js'
import { LocalServer } from '../local/local-server.js'
import { type Log, RECENT_SHARE } from '../log/log.js'
import { isVolatile, openLogAndCoordination } from '../open-log.js'
import { Publisher } from '../publisher/publisher.js'
import type { SourceLogger } from '../sources/source.js'
import type { CompactedTopics } from '../store/compacted-topics.js'
import { keepCompacted } from '../store/keep-compacted.js'
import type { FromWorker, Wish } from './messages.js'
import { type Listening, type Member, WorkerPool } from './pool.js'
import { seatVariable, type WorkersMetrics } from './seat.js'

/** How long workers may take to tell their metrics: much less than Prometheus waits. */
const METRICS_MS = 1000
const SECRET_BYTES = 32
/** The name of this process in metrics. */
const NAME = 'primary'

export interface PrimaryOptions {
  readonly config: Config
  readonly count: number
  /** The program that workers run, with its arguments. */
  readonly program: readonly [exec: string, ...args: string[]]
  readonly log: SourceLogger
  /** Shows the operator a path on this server. */
  readonly showLink: (path: string) => void
}

/** What the workers share in this process if they have no Redis. */
interface Held {
  readonly log: Log
  readonly coordination: Coordination
  readonly compacted: CompactedTopics | undefined
  readonly server: LocalServer
}

interface Measuring {
  readonly texts: string[]
  readonly waiting: Set<Member>
  readonly done: () => void
}

/**
 * The first process of a server with several workers: it starts and replaces them and, without Redis, holds
 * what they share. It serves no client itself (ADR 64).
 */
export class Primary {
  private readonly pool: WorkerPool
  private readonly adminLinks: AdminLinks
  private readonly metrics = new Registry()
  private readonly measuring = new Map<number, Measuring>()
  private measurings = 0
  private listening: Listening | undefined

  private constructor (
    private readonly options: PrimaryOptions,
    private readonly held: Held | undefined,
    secret: string | undefined
  ) {
    const { config, count, program: [exec, ...args], log, showLink } = options
    cluster.setupPrimary({ exec, args })
    // Connections live long, so each worker must get its part of them: the system would give most to a few.
    cluster.schedulingPolicy = cluster.SCHED_RR
    this.adminLinks = new AdminLinks(code => { showLink(`/#code=${code}`) })
    this.pool = new WorkerPool({
      count,
      graceMs: config.SHUTDOWN_GRACE_MS,
      fork: number => cluster.fork(seatVariable({
        number, secret, socket: held?.server.path, port: config.PORT === 0 ? this.listening?.port : undefined
      })),
      onMessage: (member, message) => { this.take(member, message) },
      onGone: member => { for (const number of this.measuring.keys()) this.takeMetrics(member, number, '') },
      log
    })
    this.metrics.setDefaultLabels({ worker: NAME })
    collectDefaultMetrics({ register: this.metrics })
  }

  /**
   * Starts the workers, and waits until all of them listen.
   * @throws ConfigError; LogSetupError; PoolFailure, which says why they could not start
   */
  static async start (options: PrimaryOptions): Promise<Primary> {
    const { config, log } = options
    let secret: string | undefined
    if (checkKeySettings(config) === undefined) {
      log.warn({}, 'JWT_SECRET is not set: a random secret checks tokens, ' +
        'so no token made elsewhere is valid')
      secret = randomBytes(SECRET_BYTES).toString('base64url')
    }
    const primary = new Primary(options, await hold(options), secret)
    try {
      primary.listening = await primary.pool.start()
    } catch (error) {
      primary.kill()
      await primary.close()
      throw error
    }
    return primary
  }

  get address (): string {
    return this.listening!.address
  }

  /** Rejects if no worker can be kept running. */
  get failed (): Promise<never> {
    return this.pool.failed
  }

  /** Shows the link of an operator, see {@link AdminLinks.offer}. */
  offerLink (): void {
    this.adminLinks.offer()
  }

  /** Changes the workers for fresh ones, one by one. */
  async roll (): Promise<void> {
    await this.pool.roll()
  }

  /** Closes the workers in good order, and then what they share. */
  async close (): Promise<void> {
    await this.pool.close()
    await closeHeld(this.held)
  }

  /** Ends the workers at once. */
  kill (): void {
    this.pool.kill()
  }

  private take (member: Member, message: FromWorker): void {
    if (message.kind === 'wish') void this.grant(member, message.number, message.wish)
    else if (message.kind === 'metrics') this.takeMetrics(member, message.number, message.text)
  }

  private async grant (member: Member, number: number, wish: Wish): Promise<void> {
    try {
      member.tell({ kind: 'granted', number, value: await this.fulfil(member, wish) })
    } catch (error) {
      member.tell({ kind: 'refused', number, fault: faultOf(error) })
    }
  }

  private async fulfil (member: Member, [what, argument = '']: Wish): Promise<unknown> {
    return what === 'metrics' ? await this.gatherMetrics(member) : this.adminLinks[what](argument)
  }

  /** Asks all workers but one for their metrics, and adds those of this process. */
  private async gatherMetrics (asking: Member): Promise<WorkersMetrics> {
    const number = ++this.measurings
    const others = this.pool.ready.filter(member => member !== asking)
    const texts = [await this.metrics.metrics()]
    const waiting = new Set(others)
    if (others.length > 0) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, METRICS_MS)
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        this.measuring.set(number, { texts, waiting, done })
        for (const member of others) member.tell({ kind: 'measure', number })
      })
      this.measuring.delete(number)
    }
    return { texts, silent: waiting.size }
  }

  private takeMetrics (member: Member, number: number, text: string): void {
    const measuring = this.measuring.get(number)
    if (measuring === undefined || !measuring.waiting.delete(member)) return
    measuring.texts.push(text)
    if (measuring.waiting.size === 0) measuring.done()
  }
}

/** Opens what the workers share; nothing if they share a Redis. */
async function hold ({ config, log: logger }: PrimaryOptions): Promise<Held | undefined> {
  if (config.REDIS_URL !== undefined) return undefined
  const settings = streamingSettings(config)
  const channels = allChannels([])
  const onError = (error: unknown, message: string): void => {
    logger.error({ err: errorFields(error) }, message)
  }
  const write = (level: 'info' | 'warn' | 'error', fields: object, message: string): void => {
    logger[level](fields, message)
  }
  const [log, coordination] = await openLogAndCoordination({}, settings, channels, { onError, write })
  let compacted: CompactedTopics | undefined
  try {
    if (isVolatile(log)) {
      compacted = await keepCompacted({
        settings,
        log,
        channels,
        publisher: new Publisher({ log, channels }),
        write
      })
    }
    const server = await LocalServer.listen({
      log,
      coordination,
      isVolatile: isVolatile(log),
      recentBytes: config.RETENTION_BYTES * RECENT_SHARE,
      onError
    })
    return { log, coordination, compacted, server }
  } catch (error) {
    await compacted?.close()
    await Promise.all([log.close(), coordination.close()])
    throw error
  }
}

async function closeHeld (held: Held | undefined): Promise<void> {
  if (held === undefined) return
  await held.server.close()
  await held.compacted?.close()
  await Promise.all([held.log.close(), held.coordination.close()])
}
