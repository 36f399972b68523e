import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Fence } from '../../log.js'
import { fenceField, type ShardKeys } from '../keys.js'
import type { Reader } from '../tail/reader.js'

/**
 * How often a higher token is tried while other nodes raise the same fence. Few do at a time: a node raises a
 * fence only once it has the source's lease.
 */
const MAX_TRIES = 10

/** Writes a fence as `meta` has it. */
export const fenceText = ({ token, id }: Fence): string => `${token}:${id}`

type Answer = [standing: string, time: string]

/**
 * Raises a source's fence in every shard. A token is at least the log's time: if a failover loses a fence in
 * all shards, the next token is still higher, whatever the nodes' clocks say. If a shard has the same or a
 * higher token, the fence is raised beyond that in all shards.
 * @throws ProtocolError `log_unavailable`
 */
export async function raiseFence (
  reader: Reader,
  keys: readonly ShardKeys[],
  source: string
): Promise<Fence> {
  const id = randomUUID()
  const ask = async (text: string): Promise<Answer[]> => await Promise.all(keys.map(async ({ common }) => {
    return await reader.run('fence', common, [fenceField(source), text], { urgent: true }) as Answer
  }))
  const beyond = (answers: readonly Answer[]): number => Math.max(...answers.flatMap(([standing, time]) => {
    return [Number(time), standing === '' ? 0 : Number.parseInt(standing) + 1]
  }))
  for (let token = beyond(await ask('')), tries = 0; tries < MAX_TRIES; tries++) {
    const fence = { source, token, id }
    const text = fenceText(fence)
    const others = (await ask(text)).filter(([standing]) => standing !== text)
    if (others.length === 0) return fence
    token = beyond(others)
  }
  throw new ProtocolError(
    'log_unavailable',
    `other servers keep taking over the source ${source}; it is given up after ${MAX_TRIES} tries`
  )
}
