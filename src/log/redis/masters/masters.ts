import type { Redis } from 'ioredis'
import { AtServer } from '../setup-error.js'
import { type Endpoint, shownEndpoint } from './address.js'
import { firstConnection, type Open } from './connection.js'
import { slotOf } from './slot.js'
import type { Topology } from './topology.js'
import { wordsOf } from '../../../errors.js'

/**
 * How a server says that a slot is elsewhere (Redis Cluster specification, MOVED Redirection and ASK
 * Redirection).
 */
const REDIRECTION = /^(MOVED|ASK) (\d+) (.*):(\d+)$/
/** Errors after which the master may be another one, or this one may be none. */
const NOT_HERE = /^(?:READONLY|MASTERDOWN|CLUSTERDOWN|Connection is closed|Reached the max retries|Stream isn't writeable)/

export interface Master {
  /** `host:port`; undefined if it is the one that the address names. */
  readonly name: string | undefined
  readonly redis: Redis
}

type Resend = <Answer>(command: (redis: Redis) => Promise<Answer>) => Promise<Answer>

/**
 * One connection to each master, for one purpose. A command goes to the master that holds its key. A command
 * is sent again only if a server refused it because its slot is at another master, and that master is
 * connected already.
 */
export class Masters {
  private readonly connections = new Map<string, Redis>()
  private readonly listeners: Array<(redis: Redis) => void> = []
  private closed = false

  /** @param open makes a connection that is not connected yet */
  constructor (private readonly topology: Topology, private readonly open: Open) {
    topology.onChange(() => { this.follow() })
  }

  /** Whether keys belong to different masters, and may move between them. */
  get sharded (): boolean {
    return this.topology.sharded
  }

  /**
   * Connects to all known masters.
   * @throws AtServer; if the address names the one master, the error itself
   */
  async connect (): Promise<void> {
    await Promise.all(this.topology.masters().map(async endpoint => {
      try {
        await firstConnection(this.connectionTo(endpoint))
      } catch (error) {
        throw this.topology.fixed ? error : new AtServer(`its master ${shownEndpoint(endpoint)}`, error)
      }
    }))
  }

  /** Calls `listener` for each present and future connection. */
  each (listener: (redis: Redis) => void): void {
    this.listeners.push(listener)
    for (const redis of this.connections.values()) listener(redis)
  }

  /** Calls `listener` when a key may belong to another connection than before. */
  onChange (listener: () => void): void {
    this.topology.onChange(listener)
  }

  /** Returns the known masters. */
  all (): readonly Master[] {
    return this.topology.masters().map(endpoint => ({
      name: this.topology.fixed ? undefined : shownEndpoint(endpoint),
      redis: this.connectionTo(endpoint)
    }))
  }

  /** Returns the connection to the master of a key; undefined if no master is known. */
  of (key: string): Redis | undefined {
    const endpoint = this.topology.masterOf(slotOf(key))
    return endpoint === undefined || this.closed ? undefined : this.connectionTo(endpoint)
  }

  /**
   * Sends a command to the master of a key.
   * @param command sends one command, whose keys are of one slot; it may be called again with another
   * connection
   */
  async send<Answer> (key: string, command: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const redis = this.of(key)
    if (redis === undefined) {
      this.topology.refresh()
      throw new Error('CLUSTERDOWN no master is known for the slot')
    }
    try {
      return await command(redis)
    } catch (error) {
      const next = this.redirected(redis, error)
      if (next === undefined) throw error
      return await next(command)
    }
  }

  /** Makes the connection of a key anew. For one that does not answer: it may never answer again. */
  renew (key: string): void {
    const redis = this.of(key)
    if (redis?.status === 'ready') redis.disconnect(true)
  }

  disconnect (): void {
    this.closed = true
    for (const redis of this.connections.values()) redis.disconnect()
    this.connections.clear()
  }

  /** Returns a function that sends a command again after an error; undefined if the caller has to decide. */
  private redirected (redis: Redis, error: unknown): Resend | undefined {
    const text = wordsOf(error)
    const [, kind, slot, host, port] = REDIRECTION.exec(text) ?? []
    if (kind === undefined) {
      // The connection leads to a server that is no master any more. By the same name there may be a master.
      if (text.startsWith('READONLY')) redis.disconnect(true)
      if (NOT_HERE.test(text)) this.topology.refresh()
      return undefined
    }
    // A redirection without a host means the host that was asked.
    const to = { host: host === '' ? redis.options.host! : host!, port: Number(port) }
    if (kind === 'MOVED') this.topology.moved(Number(slot), to)
    if (this.closed) return undefined
    const target = this.connectionTo(to)
    if (target.status !== 'ready') return undefined
    return async command => {
      if (kind === 'ASK') target.asking().catch(() => {})
      return await command(target)
    }
  }

  private connectionTo (endpoint: Endpoint): Redis {
    const name = shownEndpoint(endpoint)
    let redis = this.connections.get(name)
    if (redis !== undefined) return redis
    this.connections.set(name, redis = this.open(endpoint))
    redis.on('close', () => { this.topology.refresh() })
    for (const listener of this.listeners) listener(redis)
    redis.connect().catch(() => {})
    return redis
  }

  private follow (): void {
    if (this.closed) return
    const masters = new Map(this.topology.masters().map(endpoint => [shownEndpoint(endpoint), endpoint]))
    for (const [name, redis] of this.connections) {
      if (masters.has(name)) continue
      this.connections.delete(name)
      redis.disconnect()
    }
    for (const endpoint of masters.values()) this.connectionTo(endpoint)
  }
}
