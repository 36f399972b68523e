import { setTimeout as delay } from 'node:timers/promises'
import { Leavers } from './leavers.js'
import { Link } from '../fleet/link.js'
import { Standalone } from './standalone.js'
import type { World } from './world.js'

/** Messages that are acknowledged and then lost, at least. */
const LOST_MESSAGES = 120

/** Faults after which Redis has less than was acknowledged. */

export async function redisRolledBack (world: World): Promise<void> {
  const { standalone, publisher } = world
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  await world.ask(client => client.save())
  await Promise.all([publisher.more(LOST_MESSAGES), leavers.leaveAfter(Date.now())])
  const beganAt = Date.now()
  standalone.takeLinks()
  await standalone.redis.kill()
  await standalone.redis.start()
  await world.noteLoss('redis-rolled-back', beganAt, epochsBefore)
  standalone.giveLinks()
  leavers.comeBack()
}

export async function redisEmptied (world: World): Promise<void> {
  const { standalone } = world
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  await delay(300)
  const beganAt = Date.now()
  standalone.takeLinks()
  await standalone.redis.kill()
  await standalone.redis.forget()
  await standalone.redis.start()
  await world.noteLoss('redis-emptied', beganAt, epochsBefore)
  standalone.giveLinks()
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
  const kept = {
    shards: Array.from({ length: shards }, () => ({ offset: 0, epochs: [] })),
    numbers: new Map(),
    shardOf: new Map(),
    outputs: new Map(),
    faults: []
  }
  world.losses.push({ name: 'flushed', beganAt, endedAt: Date.now(), kept, epochsBefore, shards: new Set(kept.shards.keys()) })
  leavers.comeBack()
}

/**
 * The first node writes messages that the replica never gets and the second node never sees. Then the replica
 * takes over, the second node appends more than was lost, and only then does the first one come back.
 */
export async function failover (world: World): Promise<void> {
  const { standalone, publisher } = world
  const { redis, links } = standalone
  const replica = await Standalone.startRedis()
  const replication = await Link.open(redis.port)
  await replica.ask(async client => {
    await client.replicaof('127.0.0.1', replication.port)
    for (let info = ''; !info.includes('master_link_status:up'); await delay(20)) info = await client.info('replication')
  })
  const epochsBefore = await world.epochs()
  const [first, second] = publisher.origins as readonly [string, string]
  const leavers = new Leavers(world)
  links[1].take()
  publisher.targets = [first]
  // Without `CLIENT KILL` what is in the sockets would still arrive; a link that is broken takes it along.
  replication.take()
  await Promise.all([
    publisher.more(LOST_MESSAGES),
    leavers.leaveAfter(Date.now(), client => client.node === 0)
  ])
  const beganAt = Date.now()
  links[0].take()
  await redis.kill()
  await replica.ask(client => client.replicaof('NO', 'ONE'))
  standalone.redis = replica
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
