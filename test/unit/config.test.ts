import { test } from 'tap'
import { baseCurrencyOf, type Config, ConfigError, ConfigSchema, loadConfig } from '../../src/config.js'

type Env = Readonly<Record<string, string>>

const DEFAULTS: Config = {
  PORT: 8080,
  HOST: '127.0.0.1',
  WORKERS: 1,
  LOG_LEVEL: 'info',
  REDIS_KEY_PREFIX: 'tw',
  LOG_FSYNC: 1000,
  DATA_DIR: './data',
  LOG_SHARDS: 1,
  RETENTION_MESSAGES: 10_000,
  RETENTION_SECONDS: 3600,
  RETENTION_BYTES: 268_435_456,
  FLUSH_MS: 'auto',
  HEARTBEAT_MS: 25_000,
  IDLE_TIMEOUT_MS: 30_000,
  MAX_CONNECTIONS: 12_000,
  MAX_CONNECTIONS_PER_IP: 200,
  MAX_CONNECTIONS_PER_USER: 100,
  MAX_ALERT_RULES: 200,
  MAX_STRATEGIES: 10,
  MAX_RUNNING_STRATEGIES: 100,
  STRATEGY_CALL_MS: 1000,
  MAX_OPEN_ORDERS: 200,
  MAX_SUBSCRIPTIONS: 1000,
  MAX_MESSAGE_BYTES: 65_536,
  MAX_BUFFERED_BYTES: 65_536,
  MAX_TOPICS: 100_000,
  MAX_TOPIC_NAMES: 1_000_000,
  RATE_LIMIT_MESSAGES: 50,
  RATE_LIMIT_REQUESTS: 100,
  ACK_ALERT_SECONDS: 300,
  RATE_LIMIT_ORDERS: 50,
  AUTH: 'optional',
  JWT_ISSUER: 'tickwire',
  JWT_AUDIENCE: 'tickwire',
  ORDER_SIGNING: 'optional',
  ORDER_WINDOW_MS: 5000,
  ALLOWED_ORIGINS: '',
  TRUST_PROXY: false,
  COMPRESSION: 'on',
  WARM_UP_MS: 1500,
  SHUTDOWN_GRACE_MS: 10_000,
  SOURCES: 'simulated',
  BARS: '1s,1m,5m',
  BROKER: 'paper',
  PAPER_BALANCES: 'USD:100000',
  PAPER_FEES: '0',
  WS_ENABLED: true,
  UNKNOWN_SYMBOLS: 'reject'
}

function refusal (env: Env): string | undefined {
  try {
    loadConfig(env)
    return undefined
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

const NO_NUMBERS = ['-1', '1.5', '1e3', '0x10', ' 1', '1 ', '+1', 'many', '1_000', '99999999999999999999']

interface Variable {
  readonly good: ReadonlyArray<readonly [text: string, value: string | number | boolean]>
  readonly bad: readonly string[]
  /** What the refusal names as allowed. */
  readonly allowed?: string
  /** Other settings that the good values need. */
  readonly beside?: Env
}

const integer = (minimum: number, maximum: number, beside: Env = {}): Variable => ({
  good: [[String(minimum), minimum], [String(maximum), maximum], [`0${minimum}`, minimum]],
  bad: [...NO_NUMBERS, ...(minimum > 0 ? [String(minimum - 1)] : []), String(maximum + 1)],
  allowed: `a whole number from ${minimum} to ${maximum}`,
  beside
})
const choice = (...choices: string[]): Variable => ({
  good: choices.map(choice => [choice, choice]),
  bad: ['other', choices[0]!.toUpperCase(), ` ${choices[0]}`, 'toString'],
  allowed: `one of ${choices.join(', ')}`
})
/** A setting that takes any text; the server that uses it may be stricter. */
const text = (...texts: string[]): Variable => ({ good: texts.map(text => [text, text]), bad: [] })

/** Each needs the other. */
const KEY_PAIR = { TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' }

const MANY = 1_000_000_000
const MEBIBYTE = 1024 * 1024

const variables: Readonly<Record<keyof typeof ConfigSchema.properties, Variable>> = {
  PORT: integer(0, 65_535),
  HOST: text('0.0.0.0', '::'),
  WORKERS: { good: [['auto', 'auto'], ['1', 1], ['256', 256]], bad: [...NO_NUMBERS, '0', '257', 'AUTO'], allowed: 'one of auto, a number of processes from 1 to 256' },
  NODE_ENV: text('development', 'test'),
  NODE_NAME: {
    good: [['eu-1.a_b', 'eu-1.a_b']],
    bad: ['a b', 'a/b', 'x'.repeat(65)],
    allowed: '1 to 64 letters, digits, . _ and -'
  },
  NODE_URL: {
    good: ['http://10.0.0.1:8080', 'https://n1.example/live'].map(url => [url, url]), bad: ['n1.example', 'http://', 'http://me:secret@n1.example'], allowed: 'an address without a user or password, such as http://host:8080'
  },
  LOG_LEVEL: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  REDIS_URL: {
    good: [
      ['redis://h:6379', 'redis://h:6379'],
      ['/tmp/redis.sock', '/tmp/redis.sock'],
      ['rediss+sentinel://h,i:1/m', 'rediss+sentinel://h,i:1/m'],
      ['redis+cluster://h', 'redis+cluster://h']
    ],
    bad: ['localhost', 'http://h', 'redis+tls://h'],
    allowed: 'redis://host:6379, redis+sentinel://host:26379,…/master, redis+cluster://host:6379,…, ' +
      'with rediss for TLS, or the path of a socket'
  },
  REDIS_KEY_PREFIX: { good: [['mine', 'mine']], bad: ['a b', 'a{b'], allowed: '1 to 32 letters, digits, . _ and -' },
  DATABASE_URL: { good: [['postgres://h', 'postgres://h'], ['postgresql://u:p@h:5432/d', 'postgresql://u:p@h:5432/d'], ['postgres:///d?host=/run/postgresql', 'postgres:///d?host=/run/postgresql']], bad: ['h', 'mysql://h', 'postgres://', 'redis://h'], allowed: 'postgres://user:password@host:5432/database' },
  LOG_PATH: { good: [['./data/log', './data/log']], bad: [], allowed: '' },
  LOG_FSYNC: {
    ...integer(1, 60_000), good: [['always', 'always'], ['never', 'never'], ['1', 1]], allowed: 'one of always, never, a whole number from 1 to 60000'
  },
  DATA_DIR: { good: [['/var/lib/tickwire', '/var/lib/tickwire'], ['data', 'data']], bad: [], allowed: '' },
  LOG_SHARDS: integer(1, 32),
  RETENTION_MESSAGES: integer(1, MANY),
  RETENTION_SECONDS: integer(1, MANY),
  RETENTION_BYTES: { ...integer(1, Number.MAX_SAFE_INTEGER), bad: [...NO_NUMBERS, '0', '9007199254740992'] },
  FLUSH_MS: { ...integer(0, 1000), good: [['auto', 'auto'], ['0', 0], ['1000', 1000]], allowed: 'one of auto, a whole number from 0 to 1000' },
  HEARTBEAT_MS: integer(10, 3_600_000, { IDLE_TIMEOUT_MS: '3600000' }),
  IDLE_TIMEOUT_MS: integer(20, 3_600_000, { HEARTBEAT_MS: '10' }),
  MAX_CONNECTIONS: integer(1, MANY),
  MAX_CONNECTIONS_PER_IP: integer(1, MANY),
  MAX_CONNECTIONS_PER_USER: integer(1, MANY),
  MAX_ALERT_RULES: integer(1, 1000),
  MAX_STRATEGIES: integer(1, 100),
  MAX_RUNNING_STRATEGIES: integer(1, MANY),
  STRATEGIES: text('./strategies'),
  STRATEGY_CALL_MS: integer(10, 3_600_000),
  MAX_OPEN_ORDERS: integer(1, 1000),
  MAX_SUBSCRIPTIONS: integer(1, MANY),
  MAX_MESSAGE_BYTES: integer(1024, 64 * MEBIBYTE),
  MAX_BUFFERED_BYTES: integer(1024, 64 * MEBIBYTE),
  MAX_TOPICS: integer(1, MANY),
  MAX_TOPIC_NAMES: integer(1, MANY),
  RATE_LIMIT_MESSAGES: integer(1, MANY),
  RATE_LIMIT_REQUESTS: integer(1, MANY),
  ACK_ALERT_SECONDS: integer(0, 2_592_000),
  RATE_LIMIT_ORDERS: integer(1, MANY),
  AUTH: choice('optional', 'required'),
  JWT_SECRET: text('s', 'change-me'),
  JWT_PUBLIC_KEY: text('/etc/keys/tokens.pem'),
  JWT_JWKS_URL: {
    good: ['https://id.example/keys', 'http://id.internal:8080/realms/a/certs'].map(url => [url, url]),
    bad: ['id.example', 'ftp://id.example', 'https://', 'https://id.example/a b'],
    allowed: 'the https address of a set of keys (RFC 7517)'
  },
  JWT_ISSUER: text('https://issuer.example'),
  JWT_AUDIENCE: text('market-data'),
  ORDER_SIGNING: choice('optional', 'required'),
  ORDER_KEYS: text('/etc/keys/orders.json'),
  ORDER_WINDOW_MS: integer(100, 3_600_000),
  ORDER_SIGNING_KEY: text('/etc/keys/signing.pem'),
  ALLOWED_ORIGINS: text('*', 'https://a.example,https://b.example'),
  TRUST_PROXY: {
    good: [
      ['true', true], ['false', false], ['1', 1], ['32', 32],
      ...['10.0.0.1', '10.0.0.0/8, 2001:db8::/32', 'loopback', 'uniquelocal,::1'].map(list => [list, list] as const)
    ],
    bad: [
      'yes', 'TRUE', ' true', '0', '33', '-1', '1.5', '10.0.0', '10.0.0.0/33', '10.0.0.0/0', '::/129', '10.0.0.1,',
      'proxy.example', 'fe80::1%eth0'
    ],
    allowed: 'one of true or false, a number of proxies from 1 to 32, a comma list of their addresses and networks (10.0.0.0/8, loopback)'
  },
  TLS_CERT: { ...text('/etc/tls/cert.pem'), beside: KEY_PAIR },
  TLS_KEY: { ...text('/etc/tls/key.pem'), beside: KEY_PAIR },
  COMPRESSION: choice('on', 'off'),
  WARM_UP_MS: integer(0, 60_000),
  SHUTDOWN_GRACE_MS: integer(0, 600_000),
  SOURCES: text('none', 'simulated', 'replay:file.txt?speed=10'),
  RECORD: text('trades', 'trades,quotes'),
  MONITOR_DAYS: integer(0, 3650),
  RECORD_DAYS: integer(1, 36_500),
  NEWS_FEEDS: text('https://news.example/rss,https://other.example/atom'),
  BARS: {
    good: [['none', 'none'], ['1s', '1s'], ['5m,1m', '5m,1m']],
    bad: ['2m', '1s,', '1s, 1m', 'none,1s'],
    allowed: 'none, or a comma list of 1s, 1m and 5m'
  },
  BROKER: choice('paper', 'none'),
  PAPER_BALANCES: {
    good: ['USD:0', 'KRW:100000000,USD:100000.50', '1INCH:999999999999999.123456789012'].map(list => [list, list]),
    bad: ['USD', 'USD:', ':1', 'USD:-1', 'USD:01', 'USD:1,', 'USD:1, KRW:1', 'US$:1', 'USD:1000000000000000', 'USD:1e6'],
    allowed: 'a comma list of a currency and an amount below 10^15, such as KRW:100000000,USD:100000'
  },
  BASE_CURRENCY: {
    good: [['KRW', 'KRW'], ['USDT', 'USDT']], bad: ['US$', 'USD,KRW', 'x'.repeat(17)], allowed: '1 to 16 letters and digits, such as USD'
  },
  PAPER_FEES: {
    good: ['0', '0.001', 'KOSPI:0.0015,NASDAQ:0.0005,0.001', '삼성:시장:0.5'].map(list => [list, list]),
    bad: ['1', '.1', '-0.1', '0.1.2', 'KOSPI:', 'KOSPI:1', '0.1%', '0.1,', 'A B:0.1', '1e-3', '0.'],
    allowed: 'a fraction from 0 up to 1 such as 0.001, or a comma list of MARKET:fraction'
  },
  INSTRUMENTS: text('instruments.csv', '/etc/tickwire/instruments.json'),
  HEATMAP_INTERVAL_MS: integer(100, 3_600_000),
  HEATMAP_QUERY: text('select * from levels where symbol = $symbol'),
  DUCKDB_PATH: text('/data/levels.duckdb'),
  WS_ENABLED: { good: [['true', true], ['false', false]], bad: ['0', 'no', 'TRUE'], allowed: 'true or false' },
  WS_UPDATE_INTERVAL: integer(1, 3600),
  UNKNOWN_SYMBOLS: choice('reject', 'accept')
}

test('uses the defaults if nothing is set', async t => {
  t.strictSame(loadConfig({}), DEFAULTS)
  t.strictSame(
    loadConfig(Object.fromEntries(Object.keys(ConfigSchema.properties).map(name => [name, '']))),
    DEFAULTS,
    'an empty value counts as not set'
  )
  t.strictSame(
    loadConfig({ PATH: '/bin', HOSTNAME: 'x', port: '1' }),
    DEFAULTS,
    'other variables do not matter'
  )
})

test('covers every variable in the table of this test', async t => {
  t.same(Object.keys(variables).sort(), Object.keys(ConfigSchema.properties).sort())
})

for (const [name, { good, bad, allowed, beside }] of Object.entries(variables)) {
  test(`takes the allowed values of ${name}, and refuses others`, async t => {
    for (const [text, value] of good) {
      t.strictSame(
        loadConfig({ ...beside, [name]: text }),
        { ...DEFAULTS, ...loadConfig(beside ?? {}), [name]: value },
        `${name}=${text}`
      )
    }
    for (const text of bad) {
      const message = refusal({ ...beside, [name]: text })
      // The refusal hides an address, because it may hold a password.
      t.equal(
        message,
        `${name}=${name.endsWith('_URL') ? '…' : JSON.stringify(text)} cannot be used: ${allowed}`
      )
    }
  })
}

test('takes a log in files or on Redis, not both', async t => {
  t.match(refusal({ LOG_PATH: 'log', REDIS_URL: 'redis://127.0.0.1' }), /^LOG_PATH and REDIS_URL are set/)
})

test('demands a certificate and its key together', async t => {
  t.match(refusal({ TLS_CERT: 'cert.pem' }), /^TLS_CERT and TLS_KEY go together/)
  t.match(refusal({ TLS_KEY: 'key.pem', TLS_CERT: '' }), /^TLS_CERT and TLS_KEY go together/)
})

test('takes the first of the balances for the base currency, unless another is set', async t => {
  t.equal(baseCurrencyOf(loadConfig({})), 'USD')
  t.equal(baseCurrencyOf(loadConfig({ PAPER_BALANCES: 'KRW:1,USD:2' })), 'KRW')
  t.equal(baseCurrencyOf(loadConfig({ PAPER_BALANCES: 'KRW:1,USD:2', BASE_CURRENCY: 'USD' })), 'USD')
})

test('gives a client time for at least one heartbeat', async t => {
  t.match(refusal({ HEARTBEAT_MS: '30001' }), /^IDLE_TIMEOUT_MS must be at least HEARTBEAT_MS/)
  t.match(refusal({ IDLE_TIMEOUT_MS: '24999' }), /^IDLE_TIMEOUT_MS must be at least HEARTBEAT_MS/)
  t.equal(refusal({ HEARTBEAT_MS: '30000' }), undefined, 'exactly one heartbeat is enough')
})

test('demands a key and refuses open settings in production', async t => {
  const production = { NODE_ENV: 'production', JWT_SECRET: 's'.repeat(32) }
  t.strictSame(loadConfig(production), { ...DEFAULTS, ...production, AUTH: 'required' })
  t.equal(loadConfig({ ...production, AUTH: 'optional' }).AUTH, 'optional', 'it can be opened explicitly')
  t.match(refusal({ NODE_ENV: 'production' }), /^JWT_SECRET is needed in production/)
  t.match(refusal({ NODE_ENV: 'production', JWT_SECRET: '' }), /^JWT_SECRET is needed in production/)
  for (const key of [{ JWT_PUBLIC_KEY: '/etc/keys/tokens.pem' }, { JWT_JWKS_URL: 'https://id.example/keys' }, { JWT_JWKS_URL: 'http://127.0.0.1:8000/keys' }]) {
    t.equal(refusal({ NODE_ENV: 'production', ...key }), undefined, 'one of the three is enough')
  }
  t.match(
    refusal({ NODE_ENV: 'production', JWT_JWKS_URL: 'http://id.example/keys' }),
    /^JWT_JWKS_URL must begin with https/
  )
  for (const origins of ['*', 'https://a.example,*', ' * ', 'https://a.example, *']) {
    t.match(
      refusal({ ...production, ALLOWED_ORIGINS: origins }),
      /^ALLOWED_ORIGINS=\* is not allowed in production/,
      JSON.stringify(origins)
    )
    t.equal(refusal({ ALLOWED_ORIGINS: origins }), undefined, 'it is allowed elsewhere')
  }
  t.equal(
    loadConfig({ ...production, ALLOWED_ORIGINS: 'https://a.example' }).ALLOWED_ORIGINS,
    'https://a.example'
  )
  for (const other of ['Production', 'development', 'test']) {
    t.equal(loadConfig({ NODE_ENV: other }).AUTH, 'optional', other)
  }
})

test('tokens are checked in one way', async t => {
  const keys = { JWT_SECRET: 'a secret', JWT_PUBLIC_KEY: '/etc/keys/tokens.pem', JWT_JWKS_URL: 'https://id.example/keys' }
  t.equal(refusal(keys), 'JWT_SECRET and JWT_PUBLIC_KEY and JWT_JWKS_URL are set: only one of them can check tokens; unset the others')
  for (const name of Object.keys(keys)) t.match(refusal({ ...keys, [name]: '' }), /are set: only one of them can check tokens; unset the others$/)
  t.match(refusal({ JWT_JWKS_URL: 'https://me:hunter2@id.example/keys' }), /^JWT_JWKS_URL must not hold a name or a password/)
  for (const secret of ['-----BEGIN PUBLIC KEY-----\nMII', ' \n-----BEGIN RSA PUBLIC KEY-----', '{"kty":"RSA","n":"a","e":"AQAB"}']) {
    t.match(refusal({ JWT_SECRET: secret }), /^JWT_SECRET holds a key, not a secret/, 'what everybody may know is no secret')
  }
})

test('a secret that could be found out by trying is not taken in production', async t => {
  const sentence = 'JWT_SECRET is shorter than 32 bytes: somebody who has one token could find the secret by trying; make one with: openssl rand -hex 32'
  for (const [secret, expected] of [['s', sentence], ['s'.repeat(31), sentence], ['s'.repeat(32), undefined], ['é'.repeat(15), sentence], ['é'.repeat(16), undefined]] as const) {
    t.equal(
      refusal({ NODE_ENV: 'production', JWT_SECRET: secret }),
      expected,
      `${Buffer.byteLength(secret)} bytes`
    )
    t.equal(refusal({ JWT_SECRET: secret }), undefined, 'outside production any secret will do')
  }
})

test('shows the secret in no refusal', async t => {
  const secret = 'hunter2hunter2'
  const broken: readonly Env[] = [
    { PORT: 'x' },
    { AUTH: 'x' },
    { TRUST_PROXY: 'x' },
    { HEARTBEAT_MS: '99999' },
    { NODE_ENV: 'production', ALLOWED_ORIGINS: '*' }
  ]
  for (const env of broken) {
    const message = refusal({ ...env, JWT_SECRET: secret })
    t.ok(message)
    t.notMatch(message, secret)
  }
})
