import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../helpers/clients.js'
import type { FaultClient } from './client.js'
import { Link } from './link.js'
import { World } from './world.js'

/** Messages that are acknowledged and then lost, at least. */
const LOST_MESSAGES = 120
/** Of the clients: how many leave before the point behind which all is lost, and how many when they have seen what is lost. */
const LEAVING = 0.15
/** A cursor that comes so long after a message was acknowledged covers it: messages wait for a flush, cursors for nothing. */
const CURSOR_AGE_MS = 200

/** Faults after which Redis has less than was acknowledged. */

export async function redisRolledBack (world: World): Promise<void> {
  const { redis, publisher } = world
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  await world.ask(client => client.save())
  await Promise.all([publisher.more(LOST_MESSAGES), leavers.leaveAfter(Date.now())])
  const beganAt = Date.now()
  world.takeLinks()
  await redis.kill()
  await redis.start()
  await world.noteLoss('redis-rolled-back', beganAt, epochsBefore)
  world.giveLinks()
  leavers.comeBack()
}

export async function redisEmptied (world: World): Promise<void> {
  const { redis } = world
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  await delay(300)
  const beganAt = Date.now()
  world.takeLinks()
  await redis.kill()
  await redis.forget()
  await redis.start()
  await world.noteLoss('redis-emptied', beganAt, epochsBefore)
  world.giveLinks()
  leavers.comeBack()
}

export async function flushed (world: World): Promise<void> {
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  await delay(300)
  const beganAt = Date.now()
  await world.ask(client => client.flushall())
  // Nodes append at once to what is empty: there is nothing to be read.
  const { shards } = world.options
  const kept = { shards: Array.from({ length: shards }, () => ({ offset: 0, epochs: [] })), numbers: new Map(), shardOf: new Map(), faults: [] }
  world.losses.push({ name: 'flushed', beganAt, endedAt: Date.now(), kept, epochsBefore })
  leavers.comeBack()
}

/**
 * The first node writes what the replica never gets and the second node never sees; then the replica takes over, the
 * second node appends more than was lost, and only then the first one comes back.
 */
export async function failover (world: World): Promise<void> {
  const { redis, publisher, links } = world
  const replica = await World.startRedis()
  const replication = await Link.open(redis.port)
  await world.ask(async client => {
    await client.replicaof('127.0.0.1', replication.port)
    for (let info = ''; !info.includes('master_link_status:up'); await delay(20)) info = await client.info('replication')
  }, replica)
  const epochsBefore = await world.epochs()
  const [first, second] = publisher.origins as readonly [string, string]
  const leavers = new Leavers(world)
  links[1].take()
  publisher.targets = [first]
  // Without `CLIENT KILL` what is in the sockets would still arrive; a link that is broken takes it along.
  replication.take()
  await Promise.all([publisher.more(LOST_MESSAGES), leavers.leaveAfter(Date.now(), client => client.node === 0)])
  const beganAt = Date.now()
  links[0].take()
  await redis.kill()
  await world.ask(client => client.replicaof('NO', 'ONE'), replica)
  world.redis = replica
  await world.noteLoss('failover', beganAt, epochsBefore)
  links[1].give(replica.url)
  publisher.targets = [second]
  leavers.comeBack()
  await publisher.more(2 * LOST_MESSAGES)
  links[0].give(replica.url)
  publisher.targets = publisher.origins
  replication.close()
  await redis.close()
}

/** Clients that are away when something is lost: some with a cursor from before, some with one from behind that point. */
class Leavers {
  private readonly gone: FaultClient[]
  private readonly others: FaultClient[]

  constructor ({ fleet, random }: World) {
    const drawn = fleet.clients.map(client => ({ client, lot: random.next() }))
    this.gone = drawn.flatMap(({ client, lot }) => lot < LEAVING ? [client] : [])
    this.others = drawn.flatMap(({ client, lot }) => lot >= LEAVING && lot < 2 * LEAVING ? [client] : [])
    for (const client of this.gone) client.leave()
  }

  /**
   * Leaves with a cursor from behind a moment: one that had seen more than its cursor says, and whose cursor is from
   * before what is lost, could not be told of it.
   */
  async leaveAfter (moment: number, concerned: (client: FaultClient) => boolean = () => true): Promise<void> {
    let waiting = this.others.filter(concerned)
    await until('the cursors are from behind that point', () => {
      waiting = waiting.filter(client => {
        if (!client.settled || client.cursorAt <= moment + CURSOR_AGE_MS) return true
        client.leave()
        this.gone.push(client)
        return false
      })
      return waiting.length === 0
    })
  }

  comeBack (): void {
    for (const client of this.gone) client.comeBack()
  }
}
