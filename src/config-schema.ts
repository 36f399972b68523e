import { Type } from '@sinclair/typebox'
import { BAR_INTERVALS, MOST_ALERT_RULES, MOST_OPEN_ORDERS, MOST_STRATEGIES } from '@tickwire/protocol'

/**
 * The environment variables, their defaults and bounds; no other file knows them. `description` says what a
 * variable means, `unit` what its number counts, and `allowed` which values it takes where bounds and choices
 * cannot say so.
 */

const Count = (defaultValue: number, description: string, unit?: string, maximum = 1_000_000_000) =>
  Type.Integer({ minimum: 1, maximum, default: defaultValue, description, unit })
const Milliseconds = (defaultValue: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: defaultValue, description, unit: 'ms' })
const Bytes = (defaultValue: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: defaultValue, description, unit: 'bytes' })
const given = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

const MEBIBYTE = 1024 * 1024
const HOUR_MS = 3_600_000
const CURRENCY = '[A-Za-z0-9]{1,16}'
/** Below 10^15, so that sums fit the decimals of messages. */
const BALANCE = `${CURRENCY}:(0|[1-9]\\d{0,14})(\\.\\d{1,12})?`
const FEE = '([^,\\s]{1,64}:)?0(\\.\\d{1,12})?'
const BAR = `(${Object.keys(BAR_INTERVALS).join('|')})`

export const ConfigSchema = Type.Object({
  PORT: Type.Integer({
    minimum: 0, maximum: 65535, default: 8080, description: 'the port to listen on; 0: any free port'
  }),
  HOST: Type.String({
    default: '127.0.0.1',
    minLength: 1,
    description: 'the address to listen on; localhost: 127.0.0.1 and ::1; 0.0.0.0: all of this machine'
  }),
  WORKERS: Type.Union([
    Type.Literal('auto'),
    Type.Integer({ minimum: 1, maximum: 256, allowed: 'a number of processes from 1 to 256' })
  ], {
    default: 1,
    description: 'how many processes serve clients, all on one port; auto: one for each core of the machine'
  }),
  NODE_ENV: Type.Optional(Type.String({
    description: 'production: demands a key for tokens, sets AUTH=required, refuses ALLOWED_ORIGINS=*'
  })),
  NODE_NAME: Type.Optional(Type.String({
    pattern: '^[A-Za-z0-9._-]{1,64}$',
    description: 'the name that operators see for this server; default: its host and process',
    allowed: '1 to 64 letters, digits, . _ and -'
  })),
  NODE_URL: Type.Optional(Type.String({
    pattern: '^https?://[^\\s/@]+(/[^\\s@]*)?$',
    description: 'the address at which operators and other servers reach this server',
    allowed: 'an address without a user or password, such as http://host:8080'
  })),
  LOG_LEVEL: Type.Union(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map(level => Type.Literal(level)),
    {
      default: 'info', description: 'the lowest level to log: trace, debug, info, warn, error, fatal, silent'
    }
  ),
  REDIS_URL: Type.Optional(Type.String({
    pattern: '^(rediss?(\\+(sentinel|cluster))?://.+|/.+)$',
    description: 'the Redis that holds the log; default: the log is in memory, or in LOG_PATH',
    allowed: 'redis://host:6379, redis+sentinel://host:26379,…/master, redis+cluster://host:6379,…, ' +
      'with rediss for TLS, or the path of a socket'
  })),
  REDIS_KEY_PREFIX: Type.String({
    pattern: '^[A-Za-z0-9._-]{1,32}$',
    default: 'tw',
    description: 'the beginning of every key in Redis',
    allowed: '1 to 32 letters, digits, . _ and -'
  }),
  LOG_PATH: given('a folder in which the log outlives restarts, for one server without REDIS_URL'),
  LOG_FSYNC: Type.Union(
    [Type.Literal('always'), Type.Literal('never'), Type.Integer({ minimum: 1, maximum: 60_000 })],
    {
      default: 1000,
      unit: 'ms',
      description: 'how much of the log in LOG_PATH a power cut may lose: always: nothing that was ' +
        'acknowledged, never: what the system has not written, or milliseconds'
    }
  ),
  DATABASE_URL: Type.Optional(Type.String({
    pattern: '^postgres(ql)?://.+$',
    description: 'the PostgreSQL that keeps what must outlive the log; default: a file in DATA_DIR',
    allowed: 'postgres://user:password@host:5432/database'
  })),
  DATA_DIR: Type.String({
    minLength: 1,
    default: './data',
    description: 'the folder of the file that keeps what must outlive the log, ' +
      'for one server without DATABASE_URL'
  }),
  LOG_SHARDS: Count(1, 'shards of the log, at most 32; fixed for the life of a log', undefined, 32),
  RETENTION_MESSAGES: Count(10_000, 'messages that the log keeps of each topic'),
  RETENTION_SECONDS: Count(3600, 'how long the log keeps a message', 'seconds'),
  RETENTION_BYTES: Bytes(
    256 * MEBIBYTE, 1, Number.MAX_SAFE_INTEGER, 'what the log keeps in all; on Redis, in each shard'
  ),
  FLUSH_MS: Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 0, maximum: 1000 })], {
    default: 'auto',
    unit: 'ms',
    description: 'how long to gather messages into one write; auto: by the load, at most 50 ms'
  }),
  HEARTBEAT_MS: Milliseconds(25_000, 10, HOUR_MS, 'how often to send each client a heartbeat'),
  IDLE_TIMEOUT_MS: Milliseconds(
    30_000, 20, HOUR_MS, 'how long a client may give no sign of life before it is cut; at least HEARTBEAT_MS'
  ),
  MAX_CONNECTIONS: Count(12_000, 'clients of this server, including held polls'),
  MAX_CONNECTIONS_PER_IP: Count(200, 'clients of one address'),
  MAX_CONNECTIONS_PER_USER: Count(100, 'clients of one user'),
  MAX_SUBSCRIPTIONS: Count(1000, 'selectors of one connection'),
  MAX_ALERT_RULES: Count(200, 'alert rules of one user', undefined, MOST_ALERT_RULES),
  MAX_STRATEGIES: Count(10, 'strategies of one user', undefined, MOST_STRATEGIES),
  MAX_RUNNING_STRATEGIES: Count(100, 'strategies of all users that run or are paused'),
  STRATEGIES: given('a folder of strategies, .js or .mjs, beside those that are built in'),
  STRATEGY_CALL_MS: Milliseconds(1000, 10, HOUR_MS, 'how long a strategy may think about a message'),
  MAX_OPEN_ORDERS: Count(200, 'open orders of one user', undefined, MOST_OPEN_ORDERS),
  MAX_MESSAGE_BYTES: Bytes(
    65_536, 1024, 64 * MEBIBYTE, 'the largest message from a client, and the largest published message'
  ),
  MAX_BUFFERED_BYTES: Bytes(
    65_536, 1024, 64 * MEBIBYTE, 'unsent bytes beyond which a client gets nothing more until it has read'
  ),
  MAX_TOPICS: Count(100_000, 'topics with messages in the log'),
  MAX_TOPIC_NAMES: Count(1_000_000, 'topics whose last sequence the log keeps'),
  RATE_LIMIT_MESSAGES: Count(50, 'messages that one WebSocket may send in a second'),
  RATE_LIMIT_REQUESTS: Count(100, 'HTTP requests of one user, or one address, in a second'),
  ACK_ALERT_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 30 * 86_400,
    default: 300,
    description: 'how long a user may leave a message of orders or alerts unacknowledged before metrics ' +
      'say so; 0: for ever',
    unit: 'seconds'
  }),
  RATE_LIMIT_ORDERS: Count(50, 'requests about orders of one user in a second'),
  AUTH: Type.Union([Type.Literal('optional'), Type.Literal('required')], {
    description: 'optional: anybody may read public channels; required: reading takes a token ' +
      '(default optional; in production required)'
  }),
  JWT_SECRET: given('the secret that signs and checks tokens; without any key, a random one'),
  JWT_PUBLIC_KEY: given('the public key that checks tokens, as PEM or as the path of a PEM file'),
  JWT_JWKS_URL: Type.Optional(Type.String({
    pattern: '^https?://[^\\s]+$',
    description: 'the address of the set of keys that check tokens',
    allowed: 'the https address of a set of keys (RFC 7517)'
  })),
  JWT_ISSUER: Type.String({
    minLength: 1, default: 'tickwire', description: 'the iss that every token must have'
  }),
  JWT_AUDIENCE: Type.String({
    minLength: 1, default: 'tickwire', description: 'the aud that every token must have'
  }),
  ORDER_SIGNING: Type.Union([Type.Literal('optional'), Type.Literal('required')], {
    default: 'optional',
    description: 'required: every order must be signed; optional: those of users whose token has an order_key'
  }),
  ORDER_KEYS: given('a file with the keys of users who sign orders: a JSON Web Key Set'),
  ORDER_WINDOW_MS: Milliseconds(5000, 100, HOUR_MS, 'how old a signed order may be when it comes'),
  ORDER_SIGNING_KEY: given('the private key with which the server signs its messages of orders, as PEM or ' +
    'as the path of a PEM file; default: they are not signed'),
  ALLOWED_ORIGINS: Type.String({
    default: '',
    description: 'comma list of the origins (https://app.example) whose pages may read, ' +
      "beside the server's own; * for all"
  }),
  TRUST_PROXY: Type.Union([
    Type.Boolean(),
    Type.Integer({ minimum: 1, maximum: 32, allowed: 'a number of proxies from 1 to 32' }),
    Type.String({ allowed: 'a comma list of their addresses and networks (10.0.0.0/8, loopback)' })
  ], {
    default: false,
    description: 'whose X-Forwarded-For to believe: a number of proxies, their addresses as a comma list, ' +
      'or true'
  }),
  TLS_CERT: given('the file of the certificate, in PEM; with TLS_KEY the server speaks TLS'),
  TLS_KEY: given("the file of the certificate's key, in PEM"),
  COMPRESSION: Type.Union([Type.Literal('on'), Type.Literal('off')], {
    default: 'on', description: 'whether to compress for clients that offer it'
  }),
  WARM_UP_MS: Milliseconds(
    1500, 0, 60_000, 'how long a server runs load through its own code before it listens; 0: not at all'
  ),
  SHUTDOWN_GRACE_MS: Milliseconds(10_000, 0, 600_000, 'how long closing may take'),
  SOURCES: Type.String({
    default: 'simulated',
    description: 'where messages come from: none, or a comma list of simulated[?rate=N…], ' +
      'replay:<file>[?speed=N…] and <venue>:<symbol>+<symbol>…[?lazy=false…]'
  }),
  RECORD: given('channels to keep in the store for longer than the log does: trades,quotes,bars'),
  RECORD_DAYS: Type.Optional(Type.Integer({
    minimum: 1, maximum: 36_500, description: 'how long to keep them; default: for ever', unit: 'days'
  })),
  MONITOR_DAYS: Type.Optional(Type.Integer({
    minimum: 0,
    maximum: 3650,
    description: 'how long the store keeps what operators see of past connections; 0: nothing; ' +
      'default: 30, where the server has a store anyway',
    unit: 'days'
  })),
  NEWS_FEEDS: given('feeds of news, RSS or Atom: a comma list of addresses'),
  BARS: Type.String({
    pattern: `^(none|${BAR}(,${BAR})*)$`,
    default: '1s,1m,5m',
    description: 'the bars that the server makes of trades: none, or a comma list of 1s, 1m and 5m',
    allowed: 'none, or a comma list of 1s, 1m and 5m'
  }),
  BROKER: Type.Union([Type.Literal('paper'), Type.Literal('none')], {
    default: 'paper', description: 'paper: orders go to an exchange on paper; none: the server takes none'
  }),
  PAPER_BALANCES: Type.String({
    pattern: `^${BALANCE}(,${BALANCE})*$`,
    default: 'USD:100000',
    description: 'what an account on paper begins with: a comma list such as KRW:100000000,USD:100000',
    allowed: 'a comma list of a currency and an amount below 10^15, such as KRW:100000000,USD:100000'
  }),
  BASE_CURRENCY: Type.Optional(Type.String({
    pattern: `^${CURRENCY}$`,
    description: 'the currency of totals, and of instruments that name none; ' +
      'default: the first of PAPER_BALANCES',
    allowed: '1 to 16 letters and digits, such as USD'
  })),
  PAPER_FEES: Type.String({
    pattern: `^${FEE}(,${FEE})*$`,
    default: '0',
    description: 'the fee of each fill on paper, as a fraction of price by size: 0.001, ' +
      'or by market KOSPI:0.0015,NASDAQ:0.0005,0.001',
    allowed: 'a fraction from 0 up to 1 such as 0.001, or a comma list of MARKET:fraction'
  }),
  INSTRUMENTS: given('a file of instruments, .csv or .json, to declare at the start'),
  HEATMAP_INTERVAL_MS: Type.Optional(Type.Integer({
    minimum: 100,
    maximum: HOUR_MS,
    unit: 'ms',
    description: 'how often heatmaps are made anew; default 5000, or WS_UPDATE_INTERVAL'
  })),
  HEATMAP_QUERY: given('a SELECT that makes heatmaps, with $symbol and $kind; ' +
    "default: of the table 'heatmap'"),
  DUCKDB_PATH: given('a DuckDB file with the table of heatmaps, which is only read; ' +
    'default: a table in memory that the server fills itself'),
  WS_ENABLED: Type.Boolean({ default: true, description: 'whether heatmaps go over WebSocket, too' }),
  WS_UPDATE_INTERVAL: Type.Optional(Type.Integer({
    minimum: 1,
    maximum: 3600,
    unit: 'seconds',
    description: 'an older name for the interval of heatmaps; HEATMAP_INTERVAL_MS wins'
  })),
  UNKNOWN_SYMBOLS: Type.Union([Type.Literal('reject'), Type.Literal('accept')], {
    default: 'reject', description: 'accept: clients may publish and subscribe to any well-formed symbol'
  })
})
