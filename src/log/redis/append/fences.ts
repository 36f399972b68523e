import { randomUUID } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Fence } from '../../log.js'
import { fenceField, type ShardKeys } from '../keys.js'
import type { Reader } from '../tail/reader.js'

/** How often a higher token is tried, where others raise the same fence at the same time: each has a lease to do so. */
const MAX_TRIES = 10

/** As it stands in `meta`. */
export const fenceText = ({ token, id }: Fence): string => `${token}:${id}`

/**
 * Raises a source's fence in every shard. A token is a time of the log at least, so that one that a failover has lost in all is not
 * undercut by the next, whatever the clocks of the nodes say; where a shard has it as high or higher, all are raised beyond that.
 * @throws ProtocolError `log_unavailable`
 */
export async function raiseFence (reader: Reader, keys: readonly ShardKeys[], source: string): Promise<Fence> {
  const id = randomUUID()
  const ask = async (text: string): Promise<Array<[standing: string, time: string]>> =>
    await Promise.all(keys.map(async ({ common }) => await reader.run('fence', common, [fenceField(source), text], { urgent: true }) as [string, string]))
  const beyond = (answers: ReadonlyArray<[standing: string, time: string]>): number =>
    Math.max(...answers.flatMap(([standing, time]) => [Number(time), standing === '' ? 0 : Number.parseInt(standing) + 1]))
  for (let token = beyond(await ask('')), tries = 0; tries < MAX_TRIES; tries++) {
    const fence = { source, token, id }
    const text = fenceText(fence)
    const others = (await ask(text)).filter(([standing]) => standing !== text)
    if (others.length === 0) return fence
    token = beyond(others)
  }
  throw new ProtocolError('log_unavailable', `the source ${source} is being taken over by others again and again`)
}
