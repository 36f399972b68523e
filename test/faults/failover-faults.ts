import { setTimeout as delay } from 'node:timers/promises'
import { shardOf } from '../../src/log/shard-of.js'
import type { Fault } from './fault.js'
import { Leavers } from './leavers.js'
import { type ClusterBacking, type Group, isNode } from './replicated.js'
import type { World } from './world.js'

/** Faults of Redis where replicas take over, and of the network between its servers. */

/** Messages that are acknowledged and then lost, at least. */
const LOST_MESSAGES = 120
/** How long a node is left alone with the old master. */
const PARTITION_MS = 6000
const PARTITION_LONG_MS = 10_000
/** Between keys of a slot that is moved, at most. */
const MOVE_PAUSE_MS = 15

const anyGroup = async ({ replicated, random, options: { shards } }: World): Promise<Group> => (
  await replicated.groupOf(random.integer(0, shards - 1), shards)
)

/** Nodes reach no replica of a group until it has been noted what the promoted one has. */
function holdNodesBack ({ replicated }: World, { replicas }: Group): () => void {
  const addresses = new Set(replicas.map(server => replicated.addressOf(server)))
  return replicated.network.block((from, to) => isNode(from) && addresses.has(to))
}

/** Messages of a group's shards that are acknowledged from now on. */
async function moreOf ({ publisher, options }: World, { shards }: Group, count: number): Promise<void> {
  await publisher.more(count, topic => shards.includes(shardOf(topic, options.shards)))
}

/** The master ends while messages flow: what it had not passed on to a replica yet is lost. */
async function masterKilled (world: World): Promise<void> {
  const group = await anyGroup(world)
  await world.publisher.more(20)
  await endMaster(world, group, 'master-killed', await world.epochs())
}

/** The master ends, and its replicas miss what it had acknowledged for some time. */
async function masterKilledUnreplicated (world: World): Promise<void> {
  const { replicated } = world
  const group = await anyGroup(world)
  const epochsBefore = await world.epochs()
  const leavers = new Leavers(world)
  const cut = cutReplication(world, group)
  await Promise.all([moreOf(world, group, LOST_MESSAGES), leavers.leaveAfter(Date.now())])
  await endMaster(world, group, 'master-killed-unreplicated', epochsBefore, () => {
    cut()
    leavers.comeBack()
  })
  await replicated.settled()
}

function cutReplication ({ replicated }: World, { master, replicas }: Group): () => void {
  const addresses = new Set(replicas.map(server => replicated.addressOf(server)))
  const masterAddress = replicated.addressOf(master)
  return replicated.network.block((from, to) => addresses.has(from) && to === masterAddress)
}

async function endMaster (
  world: World,
  group: Group,
  name: string,
  epochsBefore: Array<ReadonlySet<number>>,
  promoted = (): void => {}
): Promise<void> {
  const { replicated } = world
  const letNodes = holdNodesBack(world, group)
  const beganAt = Date.now()
  await group.master.kill()
  await takenOver(world, group)
  await world.noteLoss(name, beganAt, epochsBefore, group.shards)
  promoted()
  letNodes()
  await replicated.rejoin(group.master)
  await replicated.settled()
}

/** Replicas take the place of a master that is silent. */
async function takenOver (world: World, group: Group): Promise<void> {
  const { replicated } = world
  await replicated.letTakeOver(group, true)
  world.moved(group.shards, await replicated.promoted(group))
  await replicated.letTakeOver(group, false)
}

async function promotedByHand (world: World): Promise<void> {
  const { replicated, publisher } = world
  const group = await anyGroup(world)
  await publisher.more(20)
  await replicated.promote(group)
  world.moved(group.shards, await replicated.promoted(group))
  await replicated.settled()
}

/** Sentinels do not stop the old master first: what it takes until it knows of the new one is lost. */
async function promotedBySentinels (world: World): Promise<void> {
  const { replicated, publisher } = world
  const group = await anyGroup(world)
  const epochsBefore = await world.epochs()
  await publisher.more(20)
  const letNodes = holdNodesBack(world, group)
  const beganAt = Date.now()
  await replicated.promote(group)
  world.moved(group.shards, await replicated.promoted(group))
  const letThem = replicated.network.block((from, to) => (
    isNode(from) && to === replicated.addressOf(group.master)
  ))
  await world.noteLoss('promoted-by-sentinels', beganAt, epochsBefore, group.shards)
  letNodes()
  await replicated.settled()
  letThem()
}

async function slotMoved (world: World): Promise<void> {
  const { random, options, publisher } = world
  const { cluster } = world.backing as ClusterBacking
  const shard = random.integer(0, options.shards - 1)
  const key = `{tw:${shard}}:meta`
  const from = await cluster.holderOf(key)
  const others = (await cluster.masters()).filter(master => master !== from)
  await publisher.more(20)
  const to = random.pick(others)
  await cluster.moveSlot(key, to, () => delay(random.integer(0, MOVE_PAUSE_MS)))
  world.moved([shard], to.server)
  await cluster.settled()
}

/**
 * Leaves one node with the old master, apart from everything else, where the node appends. A replica takes
 * over, and the other node appends there. When the network is whole again, the messages that the old master
 * took are gone.
 */
async function partitioned (world: World): Promise<void> {
  const { replicated, fleet, publisher, options, random } = world
  const group = await anyGroup(world)
  const epochsBefore = await world.epochs()
  const left = random.integer(0, 1)
  const island = new Set([world.nodeAddress(left), replicated.addressOf(group.master)])
  fleet.stay(true)
  const letNodes = holdNodesBack(world, group)
  const beganAt = Date.now()
  const heal = replicated.network.block((from, to) => island.has(from) && !island.has(to))
  const over = delay(options.long ? PARTITION_LONG_MS : PARTITION_MS)
  publisher.targets = [publisher.origins[left]!]
  await takenOver(world, group)
  const kept = await world.readLog()
  letNodes()
  publisher.targets = publisher.origins
  await moreOf(world, group, LOST_MESSAGES)
  await over
  heal()
  await replicated.settled()
  world.losses.push({ name: 'partitioned', beganAt, endedAt: Date.now(), kept, epochsBefore, shards: new Set(group.shards) })
  fleet.stay(false)
}

const replicatedKinds = ['sentinel', 'cluster'] as const

export const failoverFaults: readonly Fault[] = [
  { name: 'master-killed', about: 'kill -9 of a master; a replica takes over', on: replicatedKinds, loses: 'perhaps', run: masterKilled },
  { name: 'master-killed-unreplicated', about: 'kill -9 of a master whose replicas miss its last writes', on: replicatedKinds, loses: true, run: masterKilledUnreplicated },
  { name: 'partitioned', about: 'a node is left with the old master, while a replica takes over and the other node appends there', on: replicatedKinds, loses: true, run: partitioned },
  { name: 'promoted-by-hand', about: 'CLUSTER FAILOVER', on: ['cluster'], loses: false, run: promotedByHand },
  { name: 'promoted-by-sentinels', about: 'SENTINEL FAILOVER', on: ['sentinel'], loses: 'perhaps', run: promotedBySentinels },
  { name: 'slot-moved', about: 'the slot of a shard is moved to another master while messages flow', on: ['cluster'], loses: false, run: slotMoved }
]
