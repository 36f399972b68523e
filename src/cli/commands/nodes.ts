import type { NodesOverview } from '../../nodes/schema.js'
import { type Command, CommandError, UsageError } from '../command.js'
import { type Server, serverOf, serverOptions, unreachable } from '../server.js'

const PATIENCE_MS = 10_000

export const nodes: Command = {
  name: 'nodes',
  summary: 'Shows the servers that share the log, which server runs which source, ' +
    'and how far each follows each shard.',
  usage: '[flags]',
  options: {
    json: { type: 'boolean', description: "prints the server's answer, in JSON" },
    ...serverOptions
  },
  examples: [
    'TICKWIRE_TOKEN=$(JWT_SECRET=… tickwire token --sub operator --admin) tickwire nodes',
    'tickwire nodes --token-file operator.jwt --json | jq .leases'
  ],

  async run (invocation) {
    const { values, positionals } = invocation
    if (positionals.length > 0) throw new UsageError(`nodes takes flags only, not '${positionals[0]!}'`)
    const overview = await ask(serverOf(invocation))
    console.log(values['json'] === true ? JSON.stringify(overview, null, 2) : describe(overview))
    return 0
  }
}

/** Asks a server for its overview of all nodes. @throws CommandError */
async function ask (server: Server): Promise<NodesOverview> {
  let response: Response
  try {
    response = await fetch(`${server.url}/v1/admin/nodes`, {
      headers: server.headers, signal: AbortSignal.timeout(PATIENCE_MS)
    })
  } catch (error) {
    throw unreachable(server, error)
  }
  const body: unknown = await response.json().catch(() => undefined)
  if (response.status === 200 && isOverview(body)) return body
  const said = (body ?? {}) as { code?: string, message?: string }
  const { code = String(response.status), message = 'this is not a Tickwire server of this version' } = said
  throw new CommandError(`${code}: ${message}${ADVICE[code] ?? ''}`)
}

const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: '; set TICKWIRE_TOKEN to a token of an operator: npx tickwire token --sub operator --admin',
  forbidden: '; the token needs admin: npx tickwire token --sub operator --admin'
}

const isOverview = (body: unknown): body is NodesOverview =>
  typeof body === 'object' && body !== null && 'nodes' in body && 'leases' in body && 'shards' in body

function describe (overview: NodesOverview): string {
  const tables = [
    nodesTable(overview),
    ...(overview.leases.length === 0 ? [] : [leasesTable(overview)]),
    shardsTable(overview)
  ]
  return tables.join('\n\n')
}

const NODE_HEAD = [
  'NODE', 'ADDRESS', 'VERSION', 'UP', 'CONNECTIONS', 'SENT/S', 'RECEIVED/S',
  'CORES', 'MEMORY', 'DELAY', 'LAG', 'RUNS', 'WANTS'
]

function nodesTable ({ nodes }: NodesOverview): string {
  return table(NODE_HEAD, nodes.map(({ name, url, version, started, load, lag, sources, wants }) => [
    name,
    url ?? '',
    version,
    age(started),
    whole(load.connections),
    whole(load.messages_per_second),
    whole(load.received_per_second),
    load.cpu.toFixed(2),
    `${whole(load.memory_bytes / 1e6)} MB`,
    `${load.event_loop_delay_ms.toFixed(1)} ms`,
    lag === undefined ? 'no answer' : whole(lag),
    running(sources),
    wants.join(' ')
  ]))
}

const running = (sources: Readonly<Record<string, string>>): string => Object.entries(sources)
  .filter(([, state]) => state === 'running' || state === 'retrying').map(([name]) => name).join(' ')

function leasesTable ({ leases }: NodesOverview): string {
  const rows = leases.map(({ source, state, name, token, since }) => [
    source, state, name ?? '', token === undefined ? '' : String(token), since === undefined ? '' : age(since)
  ])
  return table(['SOURCE', 'STATE', 'RUNS ON', 'TOKEN', 'FOR'], rows)
}

function shardsTable ({ nodes, shards }: NodesOverview): string {
  const names = new Map(nodes.map(({ id, name }) => [id, name]))
  const rows = shards.map(({ shard, epoch, offset, followers }) => [
    String(shard),
    epoch,
    whole(offset),
    followers.map(({ node, lag }) => `${names.get(node) ?? node} (${whole(lag)})`).join(' ')
  ])
  return table(['SHARD', 'EPOCH', 'OFFSET', 'FOLLOWED BY (LAG)'], rows)
}

/** Lays rows out in columns as wide as their longest cell. */
function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  const lines = all.map(row => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd())
  return lines.join('\n')
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const

/** Returns how long ago a time was, in the largest unit: `3h`. @param time as ISO 8601 */
function age (time: string): string {
  const milliseconds = Date.now() - Date.parse(time)
  const [unit, length] = UNITS.find(([, length]) => milliseconds >= length) ?? ['s', 1000]
  return `${Math.max(0, Math.floor(milliseconds / length))}${unit}`
}
