import type { Log } from '../log/log.js'

/** The epochs of all shards at some time. */
export type Watched = readonly number[]

/** @throws ProtocolError `log_unavailable` */
export async function watchEpochs (log: Log): Promise<Watched> {
  return (await log.head()).map(({ epoch }) => epoch)
}

/** Whether no shard has begun an epoch since: one that has may have lost outputs. @throws ProtocolError `log_unavailable` */
export async function inEpochsOf (log: Log, watched: Watched): Promise<boolean> {
  const epochs = await watchEpochs(log)
  return watched.every((epoch, shard) => epochs[shard] === epoch)
}
