import type { Channels } from '@tickwire/protocol'
import type { StreamingSettings } from './config.js'
import type { Coordination } from './coordination/coordination.js'
import { MemoryCoordination } from './coordination/memory/memory-coordination.js'
import { coordinationCommands } from './coordination/redis/keys.js'
import { RedisCoordination } from './coordination/redis/redis-coordination.js'
import { LocalLog } from './local/local-log.js'
import type { Log } from './log/log.js'
import { MemoryLog } from './log/memory/memory-log.js'
import { RedisLog } from './log/redis/redis-log.js'

type OnError = (error: unknown, message: string) => void

interface Given {
  readonly log?: Log
  readonly coordination?: Coordination
}

/** Whether a log is lost when the process ends that holds it. */
export const isVolatile = (log: Log): boolean =>
  log instanceof LocalLog ? log.isVolatile : log instanceof MemoryLog

/**
 * Opens the log and what its servers share, or neither.
 * @param given what the application brings itself
 * @throws LogSetupError
 */
export async function openLogAndCoordination (
  given: Given, settings: StreamingSettings, channels: Channels, onError: OnError
): Promise<[Log, Coordination]> {
  const log = given.log ?? await openLog(settings, channels, onError)
  try {
    return [log, given.coordination ?? await openCoordination(settings, onError)]
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Opens the log that the settings ask for. @throws LogSetupError */
async function openLog (settings: StreamingSettings, channels: Channels, onError: OnError): Promise<Log> {
  const options = {
    channels,
    shards: settings.LOG_SHARDS,
    retention: {
      messages: settings.RETENTION_MESSAGES,
      seconds: settings.RETENTION_SECONDS,
      bytes: settings.RETENTION_BYTES
    },
    maxTopics: settings.MAX_TOPICS,
    maxTopicNames: settings.MAX_TOPIC_NAMES
  }
  if (settings.REDIS_URL === undefined) return new MemoryLog(options)
  const { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix } = settings
  const alsoRun = coordinationCommands(keyPrefix)
  return await RedisLog.open({ ...options, url, keyPrefix, alsoRun, onError })
}

/**
 * Opens what the nodes of a log share: on its Redis, or in memory for a single node.
 * @throws LogSetupError
 */
async function openCoordination (
  { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix }: StreamingSettings, onError: OnError
): Promise<Coordination> {
  if (url === undefined) return new MemoryCoordination()
  return await RedisCoordination.open({ url, keyPrefix, onError })
}
