import type { NodesOverview } from '../../nodes/schema.js'
import { type Command, CommandError, UsageError } from '../command.js'
import { type Server, serverOf, serverOptions, unreachable } from '../server.js'

const PATIENCE_MS = 10_000

export const nodes: Command = {
  name: 'nodes',
  summary: 'Shows the servers that share the log, who runs which source, and how far each follows each shard.',
  usage: '[flags]',
  options: {
    json: { type: 'boolean', description: 'as the server says it, in JSON' },
    ...serverOptions
  },
  examples: ['TICKWIRE_TOKEN=$(JWT_SECRET=… tickwire token --sub operator --admin) tickwire nodes', 'tickwire nodes --token-file operator.jwt --json | jq .leases'],

  async run (invocation) {
    const { values, positionals } = invocation
    if (positionals.length > 0) throw new UsageError(`nodes takes flags only, not '${positionals[0]!}'`)
    const overview = await ask(serverOf(invocation))
    console.log(values['json'] === true ? JSON.stringify(overview, null, 2) : describe(overview))
    return 0
  }
}

/** @throws CommandError */
async function ask (server: Server): Promise<NodesOverview> {
  let response: Response
  try {
    response = await fetch(`${server.url}/v1/admin/nodes`, { headers: server.headers, signal: AbortSignal.timeout(PATIENCE_MS) })
  } catch (error) {
    throw unreachable(server, error)
  }
  const body: unknown = await response.json().catch(() => undefined)
  if (response.status === 200 && isOverview(body)) return body
  const { code = String(response.status), message = 'what answered is no tickwire server of this version' } = (body ?? {}) as { code?: string, message?: string }
  throw new CommandError(`${code}: ${message}${ADVICE[code] ?? ''}`)
}

const ADVICE: Readonly<Record<string, string>> = {
  unauthorized: '; set TICKWIRE_TOKEN to a token of an operator: npx tickwire token --sub operator --admin',
  forbidden: '; the token must have admin: npx tickwire token --sub operator --admin'
}

const isOverview = (body: unknown): body is NodesOverview => typeof body === 'object' && body !== null && 'nodes' in body && 'leases' in body && 'shards' in body

function describe ({ nodes, leases, shards }: NodesOverview): string {
  const names = new Map(nodes.map(({ id, name }) => [id, name]))
  const running = (sources: Readonly<Record<string, string>>): string => Object.entries(sources).filter(([, state]) => state === 'running' || state === 'retrying').map(([name]) => name).join(' ')
  const tables = [
    table(['NODE', 'ADDRESS', 'VERSION', 'UP', 'CONNECTIONS', 'SENT/S', 'RECEIVED/S', 'CORES', 'MEMORY', 'DELAY', 'LAG', 'RUNS', 'WANTS'], nodes.map(({ name, url, version, started, load, lag, sources, wants }) => [
      name, url ?? '', version, duration(Date.now() - Date.parse(started)), whole(load.connections), whole(load.messages_per_second), whole(load.received_per_second), load.cpu.toFixed(2),
      `${whole(load.memory_bytes / 1e6)} MB`, `${load.event_loop_delay_ms.toFixed(1)} ms`, lag === undefined ? 'no answer' : whole(lag), running(sources), wants.join(' ')
    ])),
    ...(leases.length === 0
      ? []
      : [table(['SOURCE', 'STATE', 'RUNS ON', 'TOKEN', 'FOR'], leases.map(({ source, state, name, token, since }) => [
          source, state, name ?? '', token === undefined ? '' : String(token), since === undefined ? '' : duration(Date.now() - Date.parse(since))
        ]))]),
    table(['SHARD', 'EPOCH', 'OFFSET', 'FOLLOWED BY (LAG)'], shards.map(({ shard, epoch, offset, followers }) => [
      String(shard), epoch, whole(offset), followers.map(({ node, lag }) => `${names.get(node) ?? node} (${whole(lag)})`).join(' ')
    ]))
  ]
  return tables.join('\n\n')
}

/** Columns as wide as what is in them. */
function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]!.length)))
  return all.map(row => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n')
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const

/** In its largest unit: `3h`. */
function duration (milliseconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => milliseconds >= length) ?? ['s', 1000]
  return `${Math.max(0, Math.floor(milliseconds / length))}${unit}`
}
