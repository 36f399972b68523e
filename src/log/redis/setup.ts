import { readdirSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { ShardKeys } from './keys.js'
import { timeLimit } from './time-limit.js'

/** What a Redis must be to hold the log, asked before anything is written to it. */

const CONNECT_TIMEOUT_MS = 2000
const ANSWER_TIMEOUT_MS = 1500
/** All that is asked before the keys: what neither refuses nor answers in this time is given up. */
const MEET_TIMEOUT_MS = 4000
/** Oldest server that has all that the scripts use: sharded pub/sub, and `INFO` in a script. */
const OLDEST_MAJOR = 7
/** Topics that are looked at in one round trip. */
const TOPICS_AT_A_TIME = 5000
/** Commands that are named where the user may not run them; the others are counted. */
const COMMANDS_NAMED = 4
/** What lets a user run all that the log runs, beside the patterns of its keys and channels. */
const PERMISSIONS = '+@read +@write +@scripting +@pubsub +@connection +info +time'

/** A log that cannot be opened; the message says what to do. */
export class LogSetupError extends Error {
  override readonly name = 'LogSetupError'
}

export interface RedisSetup {
  readonly url: string
  readonly keyPrefix: string
  readonly shards: number
  /** What else is run by the same user, beside the log: commands with their arguments, as an access list judges them. */
  readonly alsoRun?: ReadonlyArray<readonly string[]> | undefined
}

/** Asks a Redis whether it can hold this log, and changes nothing in it. @throws LogSetupError */
export async function checkRedis (setup: RedisSetup): Promise<void> {
  checkAddress(setup.url)
  const redis = new Redis(setup.url, {
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: ANSWER_TIMEOUT_MS,
    // What does not answer does not say farewell either.
    disconnectTimeout: 0,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null
  })
  let said: unknown
  // The first thing that went wrong says more than what follows from it.
  redis.on('error', (error: unknown) => { said ??= error })
  try {
    await timeLimit((async () => {
      await redis.connect()
      // A refused SELECT lets it go on, with another database.
      if (said !== undefined) throw said
      checkServer(setup.url, await redis.info())
      await checkPermissions(redis, setup)
    })(), MEET_TIMEOUT_MS)
    await checkKeys(redis, setup)
  } catch (error) {
    throw error instanceof LogSetupError ? error : cannotBeUsed(setup, said ?? error)
  } finally {
    redis.disconnect()
  }
}

/** An error of a connection or a command, as a sentence that says what to do. */
export function cannotBeUsed ({ url, keyPrefix }: Pick<RedisSetup, 'url' | 'keyPrefix'>, error: unknown): LogSetupError {
  if (error instanceof LogSetupError) return error
  // What clients are told of a failure is not what Redis said.
  if (error instanceof Error && error.cause !== undefined) return cannotBeUsed({ url, keyPrefix }, error.cause)
  if (/WRONGTYPE/.test(String(error))) return somethingElse(keyPrefix, 'one of them is of another type')
  return new LogSetupError(`REDIS_URL: ${shown(url)} cannot be used: ${reason(error)}`)
}

/** Without user, password and options: what may be written to a log. */
function shown (url: string): string {
  if (url.startsWith('/')) return url.split('?', 1)[0]!
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

function checkAddress (url: string): void {
  if (url.startsWith('/')) return
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.hostname === '') {
    throw new LogSetupError('REDIS_URL is no address that can be read: give redis://[[user]:password@]host:6379, with %40 for @, %2F for / and so on in the password')
  }
  // What stands behind the host may be the rest of a password with a / in it: it is not shown.
  if (!/^(\/\d*)?$/.test(parsed.pathname) || parsed.hash !== '') {
    throw new LogSetupError('REDIS_URL is no address that can be read: behind the host may stand the number of a database and nothing else; in a password write %2F for / and %23 for #')
  }
}

/** What is wrong with an address, by the code of the error that says so. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no Redis listens there; start one, or correct the address',
  ENOENT: 'there is no such socket; start a Redis that has it, or correct the path',
  EACCES: 'this process may not open the socket; let its user do so',
  ENOTFOUND: 'its host name is not known; correct it',
  EAI_AGAIN: 'its host name could not be looked up; correct it, or try again when the name server answers',
  EHOSTUNREACH: 'there is no way to its host; correct the address, or the network',
  ENETUNREACH: 'there is no way to its host; correct the address, or the network',
  ETIMEDOUT: 'nothing answers there, or not in TLS (rediss://); correct the address, or let the firewall pass it',
  ECONNRESET: 'what listens there closes the connection; it is no Redis, or demands TLS (rediss://)',
  EPROTO: 'what listens there does not speak TLS; begin the address with redis://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there does not speak TLS; begin the address with redis://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what listens there does not speak TLS; begin the address with redis://',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host; give the host that the certificate names',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted; name the file of its issuer in NODE_EXTRA_CA_CERTS',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted; name the file of its issuer in NODE_EXTRA_CA_CERTS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted; name the file of its issuer in NODE_EXTRA_CA_CERTS'
}

/** And by what a Redis, or another server, answers. */
const answers: ReadonlyArray<readonly [answer: RegExp, reason: string]> = [
  [/WRONGPASS|invalid password/, 'the user or the password is not right; they stand in the URL: redis://[user]:password@host, with %40 for @ and so on'],
  [/NOAUTH/, 'the password is missing; it stands in the URL: redis://:password@host'],
  [/LOADING/, 'it is still loading its data; start again when it is done'],
  [/MISCONF/, 'it takes no writes because it could not save its data; see to its disk'],
  [/READONLY/, 'it is a replica, which takes no writes; give the address of its master'],
  [/\bOOM\b/, 'its memory is full; raise its maxmemory'],
  [/invalid DB index|DB index is out of range/, 'it has no database of that number; correct the end of the URL'],
  [/max number of clients/, 'it takes no more connections; raise its maxclients'],
  [/Protocol error|Unknown RESP type/, 'what listens there is no Redis, or demands TLS (rediss://); correct the address'],
  [/Command timed out|no answer/, 'what listens there does not answer; it is no Redis, or it is stuck'],
  [/Connection is closed/, 'what listens there closes the connection; it is no Redis, or demands TLS (rediss://)']
]

function reason (error: unknown): string {
  const { code, message } = error instanceof Error ? error as Error & { code?: string } : { code: undefined, message: String(error) }
  const known = reasons[code ?? ''] ?? answers.find(([answer]) => answer.test(message))?.[1]
  if (known !== undefined) return known
  const denied = /NOPERM.*'([^']+)' command/.exec(message)?.[1]
  if (denied !== undefined) return `its user may not run ${denied.toUpperCase()}; let the user of the URL do so with ACL SETUSER and ${PERMISSIONS}`
  return code ?? message
}

function checkServer (url: string, info: string): void {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1]
  const refuse = (why: string): never => { throw new LogSetupError(`REDIS_URL: ${shown(url)} ${why}`) }
  const version = field('redis_version') ?? 'of an unknown version'
  if (!(Number.parseInt(version) >= OLDEST_MAJOR)) refuse(`is Redis ${version}; version ${OLDEST_MAJOR} or newer is needed`)
  if (field('redis_mode') === 'sentinel') refuse('is a Sentinel; give the address of the Redis that it watches')
  if (field('cluster_enabled') === '1') refuse('is a node of a Redis Cluster, which cannot hold the log yet; give the address of a Redis of its own')
  if (field('role') === 'slave') refuse('is a replica, which takes no writes; give the address of its master')
  if (field('loading') === '1') refuse('is still loading its data; start again when it is done')
  const policy = field('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    refuse(`has the maxmemory-policy ${policy}, which drops keys of the log when memory is short; set it to noeviction`)
  }
}

/** Commands that the log runs outside of its scripts. */
const OUTSIDE_SCRIPTS = ['EVAL', 'EVALSHA', 'SCRIPT', 'SSUBSCRIBE', 'PING', 'HSCAN', 'XRANGE', 'XREVRANGE', 'XTRIM', 'SET', 'GET', 'HMGET', 'PEXPIRE', 'TYPE', 'MEMORY']

/** Every command that the log runs, as far as an access list judges it. */
function commandsOfLog ({ meta, live }: ShardKeys): string[][] {
  const folder = new URL('.', import.meta.url)
  const scripts = readdirSync(folder).filter(name => name.endsWith('.lua')).map(name => readFileSync(new URL(name, folder), 'utf8')).join('\n')
  const names = new Set([...OUTSIDE_SCRIPTS, ...[...scripts.matchAll(/\bp?call\('(\w+)'/g)].map(([, name]) => name!)])
  return [...names].map(name => {
    switch (name) {
      case 'INFO': case 'TIME': case 'PING': return [name]
      case 'SCRIPT': return [name, 'LOAD', '']
      case 'MEMORY': return [name, 'USAGE', meta]
      case 'EVAL': case 'EVALSHA': return [name, '', '1', meta]
      case 'SPUBLISH': return [name, live, '']
      case 'SSUBSCRIBE': return [name, live]
      default: return [name, meta]
    }
  })
}

/** Changes nothing, and answers with those of the commands that the user may not run. */
const DENIED = `
local denied = {}
for _, text in ipairs(ARGV) do
  local command = cjson.decode(text)
  if not redis.acl_check_cmd(unpack(command)) then denied[#denied + 1] = command[1] end
end
return denied`

async function checkPermissions (redis: Redis, { url, keyPrefix, shards, alsoRun = [] }: RedisSetup): Promise<void> {
  const commands = [...Array.from({ length: shards }, (_, shard) => commandsOfLog(new ShardKeys(keyPrefix, shard))).flat(), ...alsoRun]
  const denied = [...new Set(await redis.eval(DENIED, 0, ...commands.map(command => JSON.stringify(command))) as string[])]
  if (denied.length === 0) return
  const named = denied.slice(0, COMMANDS_NAMED).join(', ')
  const others = denied.length > COMMANDS_NAMED ? ` and ${denied.length - COMMANDS_NAMED} more commands` : ''
  throw new LogSetupError(`REDIS_URL: the user of ${shown(url)} may not run ${named}${others} on the keys and channels that begin with {${keyPrefix}:; let it do so with ACL SETUSER <user> ~{${keyPrefix}:* &{${keyPrefix}:* ${PERMISSIONS}`)
}

/** @param made how many shards the log has */
export const otherShards = (made: string): LogSetupError =>
  new LogSetupError(`LOG_SHARDS: this log was made with ${made} shards, which cannot be changed; set LOG_SHARDS=${made}, or choose another REDIS_KEY_PREFIX`)

const somethingElse = (keyPrefix: string, what: string): LogSetupError =>
  new LogSetupError(`REDIS_KEY_PREFIX: keys of the log hold something else in this Redis (${what}); choose another prefix than '${keyPrefix}'`)

async function checkKeys (redis: Redis, { keyPrefix, shards }: RedisSetup): Promise<void> {
  const keys = Array.from({ length: shards }, (_, shard) => new ShardKeys(keyPrefix, shard))
  for (const { meta, epochs, seq, recent, marks, lease } of keys) {
    await checkTypes(redis, keyPrefix, [[meta, 'hash'], [epochs, 'list'], [seq, 'hash'], [recent, 'stream'], [marks, 'stream'], [lease, 'string']])
  }
  const { meta } = keys[0]!
  // In this order: another node that starts now may make it between the two.
  const exists = await redis.type(meta) !== 'none'
  const [made, offset] = await redis.hmget(meta, 'shards', 'offset')
  const isLog = /^\d+$/.test(made ?? '') && /^\d+$/.test(offset ?? '')
  if (exists && !isLog) throw somethingElse(keyPrefix, `${meta} is not a log's`)
  if (isLog && Number(made) !== shards) throw otherShards(made!)
  for (const shard of keys) await checkStreams(redis, keyPrefix, shard)
}

async function checkStreams (redis: Redis, keyPrefix: string, keys: ShardKeys): Promise<void> {
  let cursor = '0'
  do {
    const [next, fields] = await redis.hscan(keys.seq, cursor, 'COUNT', TOPICS_AT_A_TIME)
    cursor = next
    const topics = fields.filter((_, index) => index % 2 === 0)
    await checkTypes(redis, keyPrefix, topics.map(topic => [keys.stream(topic), 'stream']))
  } while (cursor !== '0')
}

async function checkTypes (redis: Redis, keyPrefix: string, wanted: ReadonlyArray<readonly [key: string, type: string]>): Promise<void> {
  const types = await Promise.all(wanted.map(([key]) => redis.type(key)))
  for (const [index, [key, type]] of wanted.entries()) {
    if (types[index] !== type && types[index] !== 'none') throw somethingElse(keyPrefix, `${key} is a ${types[index]}, not a ${type}`)
  }
}
