import { readdirSync, readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { connectAll } from './connect.js'
import { ShardKeys } from './keys.js'
import { parseAddress, type RedisAddress, shownAddress } from './masters/address.js'
import type { Master, Masters } from './masters/masters.js'
import { cannotBeUsed, otherLayout, otherShards, PERMISSIONS, somethingElse } from './append/refusals.js'
import { LogSetupError } from '../setup-error.js'
import { AtServer } from './setup-error.js'

/** Checks that a Redis can hold the log, before anything is written to it. */

const CONNECT_TIMEOUT_MS = 2000
const ANSWER_TIMEOUT_MS = 1500
/** Connecting must succeed within this time: a server may neither refuse nor answer. */
const MEET_TIMEOUT_MS = 4000
/** The oldest version that has sharded pub/sub, and `INFO` in a script; the scripts use both. */
const OLDEST_MAJOR = 7
/** Topics in one step of a scan. */
const TOPICS_AT_A_TIME = 5000
/**
 * The layout of the keys, which epoch.lua writes into `meta`. It grows when a version would misread what
 * another has written:
 * - 1, which is not written: `!` marks a user's private topics;
 * - 2: `@` marks them, because symbols may have a `!`.
 */
const LAYOUT = 2
/** At most this many of the commands that the user may not run are named; the others are counted. */
const COMMANDS_NAMED = 4

export interface RedisSetup {
  readonly url: string
  readonly keyPrefix: string
  readonly shards: number
  /**
   * Commands that the server runs as the same user beside the log, with arguments as an access list judges
   * them.
   */
  readonly alsoRun?: ReadonlyArray<readonly string[]> | undefined
}

/**
 * Checks that a Redis, or every master of a Cluster, can hold this log; changes nothing in it.
 * @throws LogSetupError
 */
export async function checkRedis (setup: RedisSetup): Promise<void> {
  const { asked, close } = await connectAll(setup, ['asked'], {
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: ANSWER_TIMEOUT_MS,
    // A server that does not answer does not answer a QUIT either.
    disconnectTimeout: 0,
    retryStrategy: () => null
  }, MEET_TIMEOUT_MS)
  try {
    for (const master of asked.all()) await checkMaster(master, setup)
    await checkKeys(asked, setup)
  } catch (error) {
    throw cannotBeUsed(setup, error)
  } finally {
    close()
  }
}

async function checkMaster ({ name, redis }: Master, setup: RedisSetup): Promise<void> {
  try {
    const { kind } = parseAddress(setup.url)
    const where = shownAddress(setup.url) + (name === undefined ? '' : `: its master ${name}`)
    checkServer(kind, text => { throw new LogSetupError(`REDIS_URL: ${where} ${text}`) }, await redis.info())
    await checkPermissions(redis, setup)
  } catch (error) {
    if (error instanceof LogSetupError || name === undefined) throw error
    throw new AtServer(`its master ${name}`, error)
  }
}

function checkServer (kind: RedisAddress['kind'], refuse: (why: string) => never, info: string): void {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
  const version = field('redis_version') ?? 'of an unknown version'
  if (!(Number.parseInt(version) >= OLDEST_MAJOR)) {
    refuse(`is Redis ${version}; version ${OLDEST_MAJOR} or newer is needed`)
  }
  if (field('redis_mode') === 'sentinel') {
    refuse('is a Sentinel; give redis+sentinel://host:26379/ and the name of the master that it watches')
  }
  if (field('cluster_enabled') === '1' && kind !== 'cluster') {
    refuse('is a node of a Redis Cluster; begin the address with redis+cluster://')
  }
  if (field('role') === 'slave') refuse('is a replica, which takes no writes; give the address of its master')
  if (field('loading') === '1') refuse('is still loading its data; start again when it is done')
  const policy = field('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    refuse(
      `has the maxmemory-policy ${policy}, which drops keys of the log when memory is short; ` +
      'set it to noeviction'
    )
  }
}

/** Commands that the log sends outside its scripts. */
const OUTSIDE_SCRIPTS = [
  'EVAL', 'EVALSHA', 'SSUBSCRIBE', 'PING', 'HSCAN', 'XRANGE', 'XREVRANGE', 'SET', 'GET', 'HMGET', 'PEXPIRE',
  'TYPE', 'MEMORY'
]

/** Returns every command that the log runs, with the arguments that an access list judges. */
function commandsOfLog ({ meta, live }: ShardKeys): string[][] {
  const folder = new URL('scripts/', import.meta.url)
  const scripts = readdirSync(folder)
    .filter(name => name.endsWith('.lua'))
    .map(name => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n')
  const called = [...scripts.matchAll(/\bp?call\('(\w+)'/g)].map(([, name]) => name!)
  const names = new Set([...OUTSIDE_SCRIPTS, ...called])
  return [...names].map(name => {
    switch (name) {
      case 'INFO': case 'TIME': case 'PING': return [name]
      case 'MEMORY': return [name, 'USAGE', meta]
      case 'EVAL': case 'EVALSHA': return [name, '', '1', meta]
      case 'SPUBLISH': return [name, live, '']
      case 'SSUBSCRIBE': return [name, live]
      default: return [name, meta]
    }
  })
}

/** Commands that find the masters. */
const ABOUT_MASTERS: Readonly<Record<RedisAddress['kind'], readonly string[][]>> = {
  single: [],
  sentinel: [],
  cluster: [['CLUSTER', 'SLOTS'], ['CLUSTER', 'INFO'], ['ASKING']]
}

const CLUSTER_PERMISSIONS = '+cluster|slots +cluster|info'

/** A script that changes nothing and returns those commands that the user may not run. */
const DENIED = `
local denied = {}
for _, text in ipairs(ARGV) do
  local command = cjson.decode(text)
  if not redis.acl_check_cmd(unpack(command)) then denied[#denied + 1] = command[1] end
end
return denied`

async function checkPermissions (redis: Redis, setup: RedisSetup): Promise<void> {
  const { url, keyPrefix, shards, alsoRun = [] } = setup
  const { kind } = parseAddress(url)
  const keys = Array.from({ length: shards }, (_, shard) => new ShardKeys(keyPrefix, shard))
  const commands = [...keys.flatMap(commandsOfLog), ...ABOUT_MASTERS[kind], ...alsoRun]
  const args = commands.map(command => JSON.stringify(command))
  const denied = [...new Set(await redis.eval(DENIED, 0, ...args) as string[])]
  if (denied.length === 0) return
  const named = denied.slice(0, COMMANDS_NAMED).join(', ')
  const others = denied.length > COMMANDS_NAMED ? ` and ${denied.length - COMMANDS_NAMED} more commands` : ''
  const permissions = kind === 'cluster' ? `${PERMISSIONS} ${CLUSTER_PERMISSIONS}` : PERMISSIONS
  const allow = `~{${keyPrefix}:* &{${keyPrefix}:* ${permissions}`
  throw new LogSetupError(
    `REDIS_URL: the user of ${shownAddress(url)} may not run ${named}${others} on the keys and channels ` +
    `that begin with {${keyPrefix}:; let it do so with ACL SETUSER <user> ${allow}`
  )
}

async function checkKeys (masters: Masters, { keyPrefix, shards }: RedisSetup): Promise<void> {
  const keys = Array.from({ length: shards }, (_, shard) => new ShardKeys(keyPrefix, shard))
  for (const { meta, epochs, seq, recent, marks, lease } of keys) {
    await checkTypes(masters, keyPrefix, [
      [meta, 'hash'], [epochs, 'list'], [seq, 'hash'], [recent, 'stream'], [marks, 'stream'],
      [lease, 'string']
    ])
  }
  const { meta } = keys[0]!
  // TYPE comes before HMGET: another node that starts now may make `meta` between the two.
  const exists = await masters.send(meta, redis => redis.type(meta)) !== 'none'
  const [made, offset, layout] =
    await masters.send(meta, redis => redis.hmget(meta, 'shards', 'offset', 'layout'))
  const isLog = /^\d+$/.test(made ?? '') && /^\d+$/.test(offset ?? '')
  if (exists && !isLog) throw somethingElse(keyPrefix, `${meta} is not a log's`)
  if (isLog && Number(layout ?? 1) !== LAYOUT) throw otherLayout(keyPrefix, layout ?? '1', String(LAYOUT))
  if (isLog && Number(made) !== shards) throw otherShards(made!)
  for (const shard of keys) await checkStreams(masters, keyPrefix, shard)
}

async function checkStreams (masters: Masters, keyPrefix: string, keys: ShardKeys): Promise<void> {
  const { seq } = keys
  let cursor = '0'
  do {
    const [next, fields] =
      await masters.send(seq, redis => redis.hscan(seq, cursor, 'COUNT', TOPICS_AT_A_TIME))
    cursor = next
    const topics = fields.filter((_, index) => index % 2 === 0)
    await checkTypes(masters, keyPrefix, topics.map(topic => [keys.stream(topic), 'stream']))
  } while (cursor !== '0')
}

async function checkTypes (
  masters: Masters,
  keyPrefix: string,
  wanted: ReadonlyArray<readonly [key: string, type: string]>
): Promise<void> {
  const types = await Promise.all(wanted.map(([key]) => masters.send(key, redis => redis.type(key))))
  for (const [index, [key, type]] of wanted.entries()) {
    const found = types[index]
    if (found === type || found === 'none') continue
    throw somethingElse(keyPrefix, `${key} is a ${found}, not a ${type}`)
  }
}
