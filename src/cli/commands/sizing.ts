import { columns, type Command, UsageError, type Values, wholeNumber } from '../command.js'
import { DEFAULT_LOAD, type Load, MOST_MESSAGES, size, type Sizing } from '../sizing.js'

const MAX_WINDOW_MS = 50

export const sizing: Command = {
  name: 'sizing',
  summary: 'Says how many nodes, cores and shards, and how much memory and network a load needs. ' +
    'Asks no server.',
  usage: '[flags]',
  options: {
    clients: {
      type: 'string',
      value: 'number',
      description: `clients at once; default ${DEFAULT_LOAD.clients}`
    },
    messages: {
      type: 'string',
      value: 'number',
      description: `messages published a second, over all topics alike; default ${DEFAULT_LOAD.messages}`
    },
    topics: { type: 'string', value: 'number', description: `topics in all; default ${DEFAULT_LOAD.topics}` },
    subscriptions: {
      type: 'string',
      value: 'number',
      description: `topics of each client; default ${DEFAULT_LOAD.subscriptions}`
    },
    bytes: {
      type: 'string',
      value: 'number',
      description: `bytes of a message on the wire; default ${DEFAULT_LOAD.bytes}`
    },
    window: {
      type: 'string',
      value: 'ms',
      description: `how long messages may be gathered, 1 to ${MAX_WINDOW_MS}; ` +
        `default ${DEFAULT_LOAD.windowMs}`
    },
    throttle: { type: 'string', value: 'ms', description: 'throttle_ms of all subscriptions; default none' },
    'shards-of-node': {
      type: 'string', value: 'number', description: 'shards that the clients of one node read; default all'
    },
    json: { type: 'boolean', description: 'prints JSON, for programs' }
  },
  examples: [
    'tickwire sizing --clients 50000 --messages 5000',
    'tickwire sizing --clients 50000 --messages 5000 --throttle 250'
  ],

  async run ({ values, positionals }) {
    if (positionals.length > 0) throw new UsageError(`sizing takes flags only, not '${positionals[0]!}'`)
    const load = readLoad(values)
    const needed = size(load)
    const isJson = values['json'] === true
    console.log(isJson ? JSON.stringify({ load, ...needed }, null, 2) : describe(load, needed))
    return needed.nodes === undefined ? 1 : 0
  }
}

/** Reads the load from the flags. @throws UsageError */
function readLoad (values: Values): Load {
  const windowMs = wholeNumber(values, 'window') ?? DEFAULT_LOAD.windowMs
  if (windowMs > MAX_WINDOW_MS) {
    throw new UsageError(`--window is at most ${MAX_WINDOW_MS} ms: no server gathers for longer by itself`)
  }
  const load = {
    clients: wholeNumber(values, 'clients') ?? DEFAULT_LOAD.clients,
    messages: wholeNumber(values, 'messages') ?? DEFAULT_LOAD.messages,
    topics: wholeNumber(values, 'topics') ?? DEFAULT_LOAD.topics,
    subscriptions: wholeNumber(values, 'subscriptions') ?? DEFAULT_LOAD.subscriptions,
    bytes: wholeNumber(values, 'bytes') ?? DEFAULT_LOAD.bytes,
    windowMs,
    throttleMs: wholeNumber(values, 'throttle'),
    shardsOfNode: wholeNumber(values, 'shards-of-node')
  }
  if (load.messages > MOST_MESSAGES) {
    throw new UsageError(`--messages is at most ${MOST_MESSAGES}, which 32 shards can take (LOG_SHARDS); ` +
      'for more, divide the topics over several logs')
  }
  if (load.subscriptions > load.topics) {
    throw new UsageError('--subscriptions is at most --topics: a client subscribes to each topic only once')
  }
  return load
}

const number = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
const count = (value: number): string => value.toLocaleString('en-US')
const mebibytes = (bytes: number): string => `${number(bytes / 2 ** 20)} MiB`
const bits = (bytes: number): string => `${number(bytes * 8 / 1e6)} Mbit/s`

/** Writes what a load needs, a line each. */
export function describe (
  load: Load, { perClient, masters, shards, master, intakeMicros, nodes }: Sizing
): string {
  const client = `${number(perClient.messages)} messages a second in ${number(perClient.writes)} writes`
  const rows: Array<readonly [string, string]> = [
    ['each client', `${client}, ${number(perClient.cpuMicros)} µs of CPU a second`],
    ['LOG_SHARDS', masters === 1 ? '1, on one Redis' : `${shards}, on ${masters} masters`],
    ['each master', `maxmemory ${mebibytes(master.maxmemoryBytes)}; ` +
      `sends ${bits(master.bytesOut)} to the nodes`],
    ['each node, clients or none', `${number(intakeMicros / 1e6)} of a core, to hear of what is published`]
  ]
  if (nodes === undefined) {
    const cure = load.shardsOfNode === undefined
      ? 'lead clients to nodes by what they read (--shards-of-node)'
      : 'fewer shards for each node (--shards-of-node)'
    const fault = 'No node can do that: hearing of it alone takes more than is planned for one core.'
    return `${columns(rows)}\n\n${fault} Needed: ${cure}, or fewer messages.`
  }
  const each = `${count(nodes.clients)} clients, ${number(nodes.cores)} of a core`
  return columns([
    ...rows,
    ['nodes', `${count(nodes.count)}: one may be away`],
    ['each of them then', `${each}, ${mebibytes(nodes.memoryBytes)} of memory, ` +
      `sends ${bits(nodes.bytesOut)}`],
    ['all of them', `send ${bits(nodes.bytesOut * (nodes.count - 1))}`],
    ['when one goes', 'its clients are caught up within ' +
      `${number(Math.max(1, nodes.resumeSeconds))} s of coming back`]
  ])
}
