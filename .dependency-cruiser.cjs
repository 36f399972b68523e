// Who may import whom; docs/architecture.md, "Who may import whom", has the reasons.

/**
 * What each folder of src may import of src beside itself, src/errors.ts and src/config.ts. From `types` it
 * may import types only.
 */
const FOLDERS = {
  book: {},
  heatmap: { may: ['book/decimals\\.ts$'] },
  trading: {},
  log: {},
  publisher: { may: ['log/log\\.ts$'] },
  metrics: {},
  coordination: {
    may: ['log/redis/(connect|tail/listener|append/refusals|time-limit|masters/masters)\\.ts$'],
  },
  store: { types: ['log/log\\.ts$', 'publisher/', 'heatmap/'] },
  alerts: {
    may: ['user-lists/', 'auth/', 'connection/selectors\\.ts$', 'log/log\\.ts$'],
    types: ['publisher/'],
  },
  'user-lists': { may: ['hub/audience/', 'log/log\\.ts$'], types: ['publisher/'] },
  strategies: {
    may: [
      'user-lists/',
      'auth/',
      'connection/selectors\\.ts$',
      'log/log\\.ts$',
      'processors/(shard-inputs|epochs|arrivals)\\.ts$',
    ],
    types: ['publisher/', 'sources/source\\.ts$'],
  },
  'trading-requests': {
    may: ['auth/', 'connection/selectors\\.ts$'],
    types: ['publisher/', 'coordination/coordination\\.ts$', 'log/log\\.ts$'],
  },
  hub: { may: ['log/(log|entry-queue|acknowledged)\\.ts$', 'metrics/'] },
  history: {
    may: [
      'log/log\\.ts$',
      'processors/shard-inputs\\.ts$',
      'store/(recording|writer/row-fault|tables)\\.ts$',
    ],
    types: ['sources/source\\.ts$', 'store/store\\.ts$'],
  },
  'trading-records': {
    may: [
      'log/(log|shared-reads)\\.ts$',
      'processors/shard-inputs\\.ts$',
      'store/(kept-text|late-store|open-store|store|trading-rows)\\.ts$',
      'trading/(money|order)\\.ts$',
    ],
    types: ['sources/source\\.ts$', 'store/tables\\.ts$'],
  },
  instruments: { types: ['hub/hub\\.ts$', 'publisher/publisher\\.ts$'] },
  sources: {
    may: ['book/', 'heatmap/liquidations\\.ts$', 'log/log\\.ts$'],
    types: ['publisher/', 'coordination/(coordination|leases)\\.ts$'],
  },
  brokers: { may: ['trading/'] },
  processors: {
    may: ['log/log\\.ts$', 'heatmap/', 'trading/', 'brokers/', 'sources/live/backoff\\.ts$'],
    types: ['sources/source\\.ts$', 'metrics/', 'coordination/coordination\\.ts$'],
  },
  signing: { may: ['auth/(order-key|pem)\\.ts$'], types: ['auth/identity\\.ts$'] },
  nodes: {
    types: [
      'log/log\\.ts$',
      'metrics/',
      'sources/leased-source\\.ts$',
      'coordination/(coordination|leases|node-registry)\\.ts$',
    ],
  },
  dialects: { may: ['hub/iso-time\\.ts$'], types: ['hub/format\\.ts$'] },
  older: {
    may: ['connection/', 'dialects/', 'hub/', 'auth/', 'transports/ws/index\\.ts$'],
    types: ['transports/', 'trading-records/views\\.ts$'],
  },
  connection: {
    may: ['hub/', 'auth/', 'metrics/', 'log/(log|acknowledged)\\.ts$'],
    types: ['dialects/', 'coordination/coordination\\.ts$', 'publisher/', 'trading-requests/'],
  },
  unacknowledged: {
    may: ['log/(log|acknowledged)\\.ts$'],
    types: ['metrics/', 'sources/source\\.ts$'],
  },
  transports: { may: ['connection/', 'hub/', 'auth/identity\\.ts$'], types: ['auth/', 'dialects/'] },
  monitor: {
    may: [
      'connection/(connection-ledger|connection-record|limited-callers)\\.ts$',
      'hub/iso-time\\.ts$',
      'metrics/',
      'store/(late-store|monitor-rows|monitor-tables|open-store)\\.ts$',
    ],
    types: [
      'coordination/coordination\\.ts$',
      'hub/audience/demand\\.ts$',
      'log/log\\.ts$',
      'nodes/schema\\.ts$',
      'publisher/',
      'sources/leased-source\\.ts$',
      'store/store\\.ts$',
    ],
  },
  local: {
    may: [
      'log/(log|batch-text|followed-shards|lineage|origin-order|read-beyond|shard-of|shard-tail)\\.ts$',
      'coordination/memory/memory-coordination\\.ts$',
    ],
    types: ['coordination/(coordination|leases|node-registry)\\.ts$'],
  },
  workers: {
    may: [
      'auth/admin-links\\.ts$',
      'local/(faults|local-server)\\.ts$',
      'log/log\\.ts$',
      'publisher/publisher\\.ts$',
      'store/keep-compacted\\.ts$',
      '(channels|open-log)\\.ts$',
    ],
    types: [
      'coordination/coordination\\.ts$', 'sources/source\\.ts$', 'store/compacted-topics\\.ts$',
    ],
  },
  conformance: {},
  cli: {
    types: ['nodes/schema\\.ts$'],
    may: [
      'conformance/(run|setup|scenarios/index)\\.ts$',
      'sources/(registry|live/(parse|record)|news/feeds|venues/(venue|venues))\\.ts$',
      'sources/simulated/generated-bars\\.ts$',
      'strategies/(registry|backtest/.*)\\.ts$',
      'instruments/file\\.ts$',
      'history/(csv|recorded-channels)\\.ts$',
      'log/(setup-error|redis/setup)\\.ts$',
      'coordination/redis/keys\\.ts$',
      'auth/public-key\\.ts$',
      'signing/open-signing\\.ts$',
      'workers/settings\\.ts$',
      '(server|tls|notices|paper-rules)\\.ts$',
    ],
  },
}

/** Importable from anywhere in src, plugins and routes. */
const SHARED = '^src/(errors|config|deadline|fields-of|nearest|version)\\.ts$'

const folderRules = Object.entries(FOLDERS).flatMap(([folder, { may = [], types = [] }]) => {
  const own = [`^src/${folder}/`, SHARED]
  const allowed = may.map(path => `^src/${path}`)
  const typesOnly = types.map(path => `^src/${path}`)
  const importable = ['itself, errors, config', ...may, ...types.map(path => `types of ${path}`)]
  return [
    {
      name: `${folder}-imports`,
      comment: `src/${folder} may import of src only ${importable.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: { path: '^src/', pathNot: [...own, ...allowed, ...typesOnly] },
    },
    ...(typesOnly.length === 0
      ? []
      : [{
          name: `${folder}-imports-types-only`,
          comment: `src/${folder} may import only types from ${types.join(', ')}`,
          severity: 'error',
          from: { path: `^src/${folder}/` },
          to: { path: typesOnly, pathNot: allowed, dependencyTypesNot: ['type-only'] },
        }]),
  ]
})

module.exports = {
  forbidden: [
    ...folderRules,
    {
      name: 'redis-only-where-it-is-used',
      comment: 'only src/log/redis and src/coordination/redis know the Redis client',
      severity: 'error',
      from: { path: '^(src|routes|plugins|packages)/', pathNot: '^src/(log|coordination)/redis/' },
      to: { path: '(^|node_modules/)ioredis(/|$)' },
    },
    {
      name: 'databases-only-in-the-store',
      comment: 'only src/store knows databases and the query builder',
      severity: 'error',
      from: { path: '^(src|routes|plugins|packages)/', pathNot: '^src/store/' },
      to: {
        path: [
          '(^|node_modules/)(@types/)?pg(/|$)',
          '(^|node_modules/)kysely(/|$)',
          '(^|node_modules/)@duckdb/',
        ],
      },
    },
    {
      name: 'fastify-at-the-edge',
      comment: 'only transports, plugins, routes, app and server know Fastify',
      severity: 'error',
      from: { path: '^(src|packages)/', pathNot: '^src/(transports/|(app|server|tickwire)\\.ts$)' },
      to: { path: ['(^|node_modules/)@fastify/', '(^|node_modules/)fastify'] },
    },
    {
      name: 'src-below-plugins-and-routes',
      comment: 'only app and server put plugins and routes together',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(app|server|tickwire|index)\\.ts$' },
      to: { path: '^(plugins|routes)/' },
    },
    {
      name: 'plugins-not-to-routes',
      severity: 'error',
      from: { path: '^plugins/' },
      to: { path: '^routes/' },
    },
    {
      name: 'routes-imports',
      comment: 'routes use decorators, transports, auth, the schema of nodes and errors; ' +
        'what else they need is a decorator',
      severity: 'error',
      from: { path: '^routes/' },
      to: {
        path: '^src/',
        pathNot: [
          '^src/(transports|auth)/',
          '^src/dialects/dialects\\.ts$',
          '^src/older/endpoints\\.ts$',
          '^src/(nodes/schema|monitor/schema|instruments/answers)\\.ts$',
          '^src/history/',
          '^src/trading-records/views\\.ts$',
          '^src/workers/(merged-metrics|seat)\\.ts$',
          '^src/publisher/',
          SHARED,
        ],
      },
    },
    {
      name: 'routes-publisher-types-only',
      severity: 'error',
      from: { path: '^routes/' },
      to: { path: '^src/publisher/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'routes-plugin-types-only',
      comment: 'plugins are registered by app; routes import their types',
      severity: 'error',
      from: { path: '^routes/' },
      to: { path: '^plugins/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'packages-stand-alone',
      comment: 'packages are published without the server',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(src|routes|plugins)/' },
    },
    {
      name: 'client-without-validators',
      comment: 'browsers load the client, so it takes the subpaths of the protocol that load no validator',
      severity: 'error',
      from: { path: '^packages/client/' },
      to: {
        path: '^packages/protocol/(src|dist)/(index|channels|messages|query)|^node_modules/@sinclair/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'react-apart',
      comment: 'the client works without React',
      severity: 'error',
      from: { path: '^packages/client/src/', pathNot: '^packages/client/src/react/' },
      to: { path: '^packages/client/src/react/|^node_modules/react/' },
    },
    {
      name: 'pages-know-the-client',
      comment: 'the pages use what any application can: the client, types of the protocol, and its ' +
        'subpaths that load no validator',
      severity: 'error',
      from: { path: '^packages/dashboard/' },
      to: {
        path: '^packages/protocol/(src|dist)/(index|channels|messages|query)|^node_modules/@sinclair/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'packages-by-name',
      comment: 'the server uses packages as their users do: by name',
      severity: 'error',
      from: { path: '^(src|routes|plugins)/' },
      to: { path: '^packages/[^/]+/src/' },
    },
    {
      name: 'no-tests',
      severity: 'error',
      from: { path: '^(src|routes|plugins|packages)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-dev-dependencies',
      comment: 'what runs in production is a dependency, not a devDependency; React is the page\'s own, ' +
        'and the dashboard is bundled with all that it imports',
      severity: 'error',
      from: { path: '^(src|routes|plugins|packages)/', pathNot: '^packages/(client/src/react|dashboard)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // Imports of types count: they couple as others do.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'default'] },
  },
}
