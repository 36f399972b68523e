import type { Channels } from '@tickwire/protocol'
import type { StreamingSettings } from './config.js'
import type { Coordination } from './coordination/coordination.js'
import { MemoryCoordination } from './coordination/memory/memory-coordination.js'
import { coordinationCommands } from './coordination/redis/keys.js'
import { RedisCoordination } from './coordination/redis/redis-coordination.js'
import { FileLog } from './log/file/file-log.js'
import { type Found, SEGMENT_BYTES } from './log/file/open-files.js'
import { LocalLog } from './local/local-log.js'
import type { Log } from './log/log.js'
import { MemoryLog } from './log/memory/memory-log.js'
import { RedisLog } from './log/redis/redis-log.js'

type OnError = (error: unknown, message: string) => void

type LogFields = Readonly<Record<string, string | number>>

/** What is said while the log opens. */
export interface OpenEvents {
  readonly onError: OnError
  readonly write: (level: 'info' | 'warn', fields: LogFields, message: string) => void
}

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
  given: Given, settings: StreamingSettings, channels: Channels, events: OpenEvents
): Promise<[Log, Coordination]> {
  const log = given.log ?? await openLog(settings, channels, events)
  try {
    return [log, given.coordination ?? await openCoordination(settings, events.onError)]
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Opens the log that the settings ask for. @throws LogSetupError */
async function openLog (
  settings: StreamingSettings, channels: Channels, { onError, write }: OpenEvents
): Promise<Log> {
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
  if (settings.LOG_PATH !== undefined) {
    const { LOG_PATH: path, LOG_FSYNC: fsync } = settings
    const log = await FileLog.open({ ...options, path, fsync, segmentBytes: SEGMENT_BYTES, onError })
    const isAsExpected = log.found.aside.length === 0 && (log.found.isEpochKept || log.found.isNew)
    write(isAsExpected ? 'info' : 'warn', foundFields(log.found), whatWasFound(log.found))
    return log
  }
  if (settings.REDIS_URL === undefined) return new MemoryLog(options)
  const { REDIS_URL: url, REDIS_KEY_PREFIX: keyPrefix } = settings
  const alsoRun = coordinationCommands(keyPrefix)
  return await RedisLog.open({ ...options, url, keyPrefix, alsoRun, onError })
}

/** Whether the log that the settings ask for is there after a restart, so that nothing else must keep it. */
export const outlivesProcess = (
  { REDIS_URL, LOG_PATH }: Pick<StreamingSettings, 'REDIS_URL' | 'LOG_PATH'>
): boolean => REDIS_URL !== undefined || LOG_PATH !== undefined

const foundFields = (
  { messages, topics, segments, bytes, isEpochKept, aside, tookMs }: Found
): LogFields => ({
  event: 'log',
  messages,
  topics,
  segments,
  bytes,
  epoch: isEpochKept ? 'kept' : 'begun',
  took_ms: tookMs,
  ...aside.length === 0 ? {} : { aside: aside.join() }
})

function whatWasFound ({ isNew, isEpochKept, aside }: Found): string {
  const damaged = aside.length === 0 ? '' : '; parts of its files were damaged, and are kept aside'
  if (isNew) return `a log begins in LOG_PATH${damaged}`
  return isEpochKept
    ? `the log in LOG_PATH goes on${damaged}`
    : `the log in LOG_PATH was not closed in order: a new epoch tells what it lost, if anything${damaged}`
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
