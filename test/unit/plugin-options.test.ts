import Fastify from 'fastify'
import { type Test, test } from 'tap'
import {
  type ChannelDefinition,
  defineChannel,
  tickwire,
  type TickwireOptions,
  Type
} from '../../src/index.js'

const counts = {
  name: 'counts',
  type: 'count',
  description: '',
  keyed: true,
  access: 'public',
  schema: Type.Object({ count: Type.Integer() }),
  reduce: 'last',
  merge: 'last'
} as const

/** The same as JavaScript passes it, without a compiler's check. */
const options = (given: object): TickwireOptions => given as TickwireOptions
const definition = (given: object): ChannelDefinition => given as ChannelDefinition

async function register (t: Test, given: object): Promise<void> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, options(given))
}

const refused: ReadonlyArray<readonly [given: object, ...words: RegExp[]]> = [
  [{ chanels: [] }, /has no option 'chanels'/, /did you mean 'channels'\?/, /prefix, channels, routes, sources, instruments, processors, strategies, broker, log, coordination, adminLink, settings/],
  [{ prefix: 5 }, /prefix is a text like '\/live', not 5/],
  [{ channels: {} }, /channels is an array/],
  [{ routes: ['strem'] }, /routes: there is no 'strem'; did you mean 'stream'\?/, /docs, stream, tickets, publish, topics/],
  [{ routes: 'stream' }, /routes is an array/],
  [{ sources: [{ name: 'mine' }] }, /sources\[0\] has no 'instruments'/],
  [{ instruments: {} }, /instruments is an array/],
  [{ instruments: [{ symbol: 'A' }, { symbol: 'B', tick_size: '0' }] }, /instruments\[1\]: tick_size must be a decimal above 0, not '0'/],
  [{ sources: 'simulatd' }, /'simulatd' is not a source; did you mean/],
  [{ processors: {} }, /processors is an array of processors/],
  [{ processors: [undefined] }, /processors\[0\] has no 'outputOf'/],
  [{ processors: [{ name: 'mine', journal: 'j' }] }, /processors\[0\] has no 'initial': it is an object with initial, decide, apply, project, correct/],
  [{ processors: [{ name: 'mine', due () {} }] }, /processors\[0\] has no 'outputsOf': it is an object with outputsOf, initial, hear, apply, due/],
  [{ processors: [{ outputOf () {}, restore () {}, apply () {}, correct () {} }] }, /processors\[0\] has no name/],
  [{ processors: [{ name: 'mine', inputs: 'trades', outputOf () {}, restore () {}, apply () {}, correct () {} }] }, /processors\[0\] has no inputs: an array/],
  [{ strategies: './folder' }, /strategies is an array of paths or URLs of modules/],
  [{ strategies: [() => {}] }, /a worker loads them, and cannot be given functions/],
  [{ strategies: ['/none/here.js'] }, /\/none\/here\.js cannot be loaded/],
  [{ settings: { STRATEGIES: '/none/here' } }, /STRATEGIES=\/none\/here cannot be read/],
  [{ broker: { submit () {}, cancel () {}, replace () {} } }, /broker has no 'events': it is an object with submit, cancel, replace, events/],
  [{ log: 'redis://localhost' }, /log has no 'shardOf'/],
  [{ coordination: {} }, /coordination has no 'put'/],
  [{ settings: [] }, /settings is an object/],
  [{ settings: { AUTH: 'requird' } }, /settings: AUTH="requird" cannot be used: one of optional, required/],
  [{ settings: { JWT_SECRT: 's' } }, /settings: there is no 'JWT_SECRT'; did you mean 'JWT_SECRET'\?/, /FLUSH_MS/],
  [{ settings: { LOG_SHARDS: 99 } }, /LOG_SHARDS=99 cannot be used: a whole number from 1 to 32/],
  [{ settings: { LOG_SHARDS: '2' } }, /LOG_SHARDS="2" cannot be used/],
  [{ settings: { HEARTBEAT_MS: -1 } }, /HEARTBEAT_MS=-1 cannot be used: a whole number from 10/],
  [{ settings: { HEARTBEAT_MS: 50_000 } }, /IDLE_TIMEOUT_MS must be at least HEARTBEAT_MS/],
  [{ settings: { JWT_SECRET: '' } }, /JWT_SECRET=… cannot be used/],
  [{ settings: { JWT_SECRET: 's', JWT_JWKS_URL: 'https://id.example/keys' } }, /only one of them can check tokens/],
  [{ settings: { NODE_ENV: 'production', JWT_SECRET: 's' } }, /shorter than 32 bytes/],
  [{ settings: { PORT: 80 } }, /settings: PORT is for the command alone: an application itself listens and closes/]
]

test('refuses unknown options and settings, and values that are not allowed', async t => {
  for (const [given, ...words] of refused) {
    const said = await register(t, given).then(
      () => 'taken in silence',
      (error: Error) => `${error.name}: ${error.message}`
    )
    for (const word of [/^ConfigError: /, ...words]) t.match(said, word, JSON.stringify(given))
  }
})

const badChannels: ReadonlyArray<readonly [given: object, words: RegExp]> = [
  [{ access: 'private' }, /'counts' has access 'private'; it is one of public, capability, user, admin, internal \(a private channel of PROTOCOL.md has access 'user'\)/],
  [{ access: undefined }, /has no access/],
  [{ acces: 'user' }, /has an option 'acces'; there are: name, type, description, keyed, access, schema, retention, reduce, merge, levels/],
  [{ reduce: 'lastt' }, /has reduce 'lastt'; it is 'last' or a function/],
  [{ merge: 'first' }, /has merge 'first'; it is 'last' or a function/],
  [{ keyed: 'yes' }, /has keyed 'yes'; it is true or false/],
  [{ type: '' }, /has no type/],
  ...['welcome', 'reset', 'cursor', 'error'].map((type): [object, RegExp] => [{ type }, /which the protocol's own messages use/]),
  [{ schema: { type: 'object' } }, /has a schema that is not made with Type/],
  [{ retention: { message: 5 } }, /has a retention with 'message'; there are: messages, seconds/],
  [{ retention: { messages: 0 } }, /has a retention that is not above 0/],
  [{ retention: { messages: '5' } }, /has a retention that is not above 0/],
  [{ levels: {} }, /has levels without cut and changes/],
  [{ name: 'Counts' }, /must be named in lower case/]
]

test('refuses a bad channel where it is defined, or else where it is registered', async t => {
  for (const [given, words] of badChannels) {
    const channel = definition({ ...counts, ...given })
    t.throws(() => defineChannel(channel), { message: words }, JSON.stringify(given))
    await t.rejects(
      register(t, { channels: [channel] }),
      { message: words, name: 'ConfigError' },
      JSON.stringify(given)
    )
  }
  await t.rejects(register(t, { channels: [undefined] }), {
    message: /a channel is an object/,
    name: 'ConfigError'
  })
})

test('takes good options, and treats an undefined setting as not set', async t => {
  await t.resolves(
    register(t, {
      prefix: '/live',
      channels: [counts],
      routes: ['stream', 'page'],
      sources: 'none',
      settings: { JWT_SECRET: undefined, FLUSH_MS: 0, NODE_NAME: 'a' }
    })
  )
})

test('asks for a token in production, as the command does', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, { settings: { NODE_ENV: 'production', JWT_SECRET: 's'.repeat(32) } })
  t.equal((await app.inject('/v1/stream?subscribe=news')).statusCode, 401)
})
