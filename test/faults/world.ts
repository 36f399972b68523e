import { createHmac } from 'node:crypto'
import type { Redis } from 'ioredis'
import { Choices } from '../helpers/random.js'
import { RedisServer } from '../helpers/redis-server.js'
import { Fleet } from './fleet.js'
import { freePort } from '../helpers/free-port.js'
import { Link } from './link.js'
import type { Loss } from './loss.js'
import { NodeProcess } from './node-process.js'
import { Publisher } from './publisher.js'
import { readLog, readShards } from './stored-log.js'
import { makeTopics } from './topics.js'

const HEARTBEAT_MS = 1500
const SECRET = 'a secret for the fault checker only'
const TOKEN_SECONDS = 86_400
/** Replication begins at once, not when more replicas might have come. */
const REDIS_SETTINGS = ['--repl-diskless-sync-delay', '0']

export interface WorldOptions {
  readonly seed: number
  readonly shards: number
  readonly clients: number
  readonly topics: number
  /** Messages a second. */
  readonly rate: number
  /** Whether what is stopped is stopped for ten seconds, longer than clients are patient. */
  readonly long: boolean
}

/** Two nodes, each with its own way to one Redis, a publisher, and clients. */
export class World {
  readonly losses: Loss[] = []
  readonly violations: string[] = []
  readonly publisher: Publisher
  readonly fleet: Fleet
  readonly random: Choices

  private constructor (readonly options: WorldOptions, public redis: RedisServer, readonly links: readonly [Link, Link], readonly nodes: readonly [NodeProcess, NodeProcess]) {
    const { seed, clients, rate } = options
    const topics = makeTopics(options.topics)
    const origins = nodes.map(({ origin }) => origin)
    this.random = new Choices(seed)
    this.publisher = new Publisher(origins, token(), topics, rate, new Choices(seed + 1))
    this.fleet = new Fleet({ clients, topics, origins, heartbeatMs: HEARTBEAT_MS, seed })
  }

  static async start (options: WorldOptions): Promise<World> {
    const redis = await World.startRedis()
    const links = [await Link.open(redis.url), await Link.open(redis.url)] as const
    const nodes = await Promise.all(links.map(async ({ port }, index) => await NodeProcess.create(`node ${index + 1}`, {
      REDIS_URL: `redis://127.0.0.1:${port}`,
      LOG_SHARDS: String(options.shards),
      SOURCES: 'none',
      UNKNOWN_SYMBOLS: 'accept',
      JWT_SECRET: SECRET,
      MAX_CONNECTIONS_PER_IP: '10000',
      MAX_CONNECTIONS_PER_USER: '10000',
      RATE_LIMIT_REQUESTS: '1000000',
      HEARTBEAT_MS: String(HEARTBEAT_MS),
      LOG_LEVEL: 'error'
    })))
    const world = new World(options, redis, links, nodes as [NodeProcess, NodeProcess])
    try {
      await Promise.all(nodes.map(node => node.start()))
      await world.fleet.open()
    } catch (error) {
      await world.close()
      throw error
    }
    world.publisher.start()
    return world
  }

  static async startRedis (): Promise<RedisServer> {
    return await RedisServer.start(REDIS_SETTINGS, await freePort())
  }

  /** Asks Redis itself, past the links. */
  async ask<Answer> (question: (redis: Redis) => Promise<Answer>, server = this.redis): Promise<Answer> {
    const client = server.client()
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }

  /** Takes the way to Redis from all nodes, so that what is done meanwhile is one step for them. */
  takeLinks (): void {
    for (const link of this.links) link.take()
  }

  giveLinks (): void {
    for (const link of this.links) link.give(this.redis.url)
  }

  async epochs (): Promise<Array<ReadonlySet<number>>> {
    return (await this.ask(redis => readShards(redis, this.options.shards))).map(({ epochs }) => new Set(epochs.map(({ epoch }) => epoch)))
  }

  /**
   * Notes what a Redis has left, while no node can append to it.
   * @param epochsBefore of {@link epochs}, before anything was lost
   */
  async noteLoss (name: string, beganAt: number, epochsBefore: Loss['epochsBefore']): Promise<void> {
    const kept = await this.ask(redis => readLog(redis, this.options.shards))
    this.losses.push({ name, beganAt, endedAt: Date.now(), kept, epochsBefore })
  }

  async close (): Promise<void> {
    this.publisher.abandon()
    this.fleet.close()
    for (const node of this.nodes) await node.close()
    for (const link of this.links) link.close()
    await this.redis.close()
  }
}

/** As `tickwire token` makes it. */
function token (): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = { sub: 'publisher', publish: ['*'], iss: 'tickwire', aud: 'tickwire', iat: now, exp: now + TOKEN_SECONDS }
  const signed = [{ alg: 'HS256', typ: 'JWT' }, claims].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}
