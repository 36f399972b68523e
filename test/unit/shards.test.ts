import { setTimeout as delay } from 'node:timers/promises'
import { decodeCursor, ProtocolError, standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { receiveText, writer } from '../helpers/native.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import type { LogContents } from '../../src/log/memory/log-contents.js'
import { poll } from '../../src/transports/poll/poll.js'
import { type Message, until } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode } from '../helpers/node.js'
import { Choices } from '../helpers/random.js'
import { Ledger, ShardClient, Truth } from '../helpers/shard-clients.js'
import { type SlowLog, slowDown } from '../helpers/slow-log.js'

/**
 * Shards that wake and sleep all the time. Many clients subscribe and unsubscribe, are cut and come back,
 * stop reading, poll, and ask for snapshots, over 16 shards that are followed on for some milliseconds, on a
 * log that answers late and sometimes not at all. Each client gets each message exactly once, or learns
 * exactly why not.
 */
const SHARDS = 16
const SYMBOLS = Array.from({ length: 24 }, (_, index) => `S${index}`)
const CHANNELS = ['quotes', 'trades'] as const
const TOPICS = SYMBOLS.flatMap(symbol => CHANNELS.map(channel => `${channel}:${symbol}`))
const CLIENTS = 10
const POLLERS = 4

/** Polls the same topics, with pauses in which their shards may sleep. */
async function pollOn (
  node: Node, ledger: Ledger, topics: readonly string[], choices: Choices, goesOn: () => boolean
): Promise<void> {
  for (const topic of topics) ledger.begin(topic, true)
  const selectors = topics.map(topic =>
    makeSelector(standardChannels.get(topic.split(':')[0]!)!, topic.split(':')[1], undefined)
  )
  let after: string | undefined
  for (let last = false; !last; await delay(choices.integer(0, 25))) {
    last = !goesOn()
    for (let more = true; more;) {
      const { text } = await poll(node.hub, selectors, {
        start: after === undefined ? { from: 'now' } : { from: 'cursor', cursor: decodeCursor(after)! },
        snapshots: true,
        writer,
        limit: choices.integer(1, 50),
        waitMs: choices.integer(0, 3),
        signal: new AbortController().signal
      }).catch((error: unknown) => {
        if (error instanceof ProtocolError && error.code === 'log_unavailable') return { text: '' }
        throw error
      })
      if (text === '') continue
      const answer = JSON.parse(text) as { cursor: string, messages: Message[], more: boolean }
      for (const held of ledger.held.values()) held.sent = 0
      for (const message of answer.messages) ledger.take(message)
      after = answer.cursor
      more = answer.more
    }
  }
}

async function runClients (seed: number, losses: 'none' | 'epochs' | 'messages'): Promise<{ slow: SlowLog, clients: readonly ShardClient[], ledgers: readonly Ledger[] }> {
  const choices = new Choices(seed)
  const node = await startNode({
    shards: SHARDS,
    lingerMs: choices.integer(0, 5),
    pageMessages: 7,
    recentBytes: choices.pick([1 << 20, 16 * 900]),
    retention: { messages: 100_000 }
  })
  const slow = slowDown(node.log, new Choices(seed + 1), 3)
  slow.failures = 0.1
  const truth = new Truth(topic => node.log.shardOf(topic))
  for (let shard = 0; shard < SHARDS; shard++) {
    await (Object.getPrototypeOf(node.log) as typeof node.log).tail.call(node.log, shard, ({ entries }) => {
      for (const { topic, sequence } of entries) truth.given.set(topic, sequence)
    })
  }
  let n = 0
  const append = async (): Promise<void> => {
    const topic = choices.pick(TOPICS)
    const [channel, symbol] = topic.split(':')
    const next = (): object => {
      if (channel === 'quotes') return { symbol, last: String(++n) }
      return { symbol, price: String(++n), size: '1', timestamp: '2026-01-01T00:00:00Z' }
    }
    const count = choices.integer(1, 4)
    await node.log.append(Array.from({ length: count }, () => ({ topic, payload: JSON.stringify(next()) })))
  }
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) => new ShardClient(`seed ${seed}, client ${index}`, truth)
  )
  const wires = new Map<ShardClient, { reads: (how: boolean) => void }>()
  const open = (client: ShardClient): void => {
    client.open(onMessage => {
      const wire = new MemoryWire(true, onMessage)
      const connection = node.connect(wire)
      wires.set(client, {
        reads: how => {
          wire.stalled = !how
          if (how) connection.onDrain()
        }
      })
      return {
        say: message => {
          receiveText(connection, JSON.stringify(message))
        },
        cut: () => {
          wires.delete(client)
          connection.onClose()
        }
      }
    })
  }
  for (const client of clients) open(client)
  let isPolling = true
  const pollers = Array.from(
    { length: POLLERS },
    (_, index) => new Ledger(`seed ${seed}, poller ${index}`, truth)
  )
  const polling = Promise.all(
    pollers.map(ledger =>
      pollOn(node, ledger, [choices.pick(TOPICS), choices.pick(TOPICS)], choices, () => isPolling)
    )
  )

  for (let step = 0; step < 700; step++) {
    const client = choices.pick(clients)
    const chance = choices.next()
    if (chance < 0.4) await append()
    else if (chance < 0.6) client.subscribe(choices.pick(TOPICS))
    else if (chance < 0.72) client.unsubscribe(choices.pick([...client.ledger.held.keys(), 'quotes:S0']))
    else if (chance < 0.75) client.close()
    else if (chance < 0.82) open(client)
    else if (chance < 0.85) wires.get(client)?.reads(choices.next() < 0.5)
    else if (chance < 0.856 && losses !== 'none') {
      const heads = Array.from({ length: SHARDS }, (_, shard) => shard)
      const lost = heads.map(shard =>
        losses === 'messages' && choices.next() < 0.3 ? choices.integer(1, 5) : 0
      )
      const { contents } = node.log as unknown as { contents: LogContents }
      const stood = contents.shards.map(({ offset }) => offset)
      for (const shard of heads) if (lost[shard]! > 0 && stood[shard]! > 0) truth.losing.add(shard)
      node.log.restart(stood.map((offset, shard) => Math.max(0, offset - lost[shard]!)))
      truth.given.clear()
      for (const [topic, { last }] of contents.topics.histories) truth.given.set(topic, last.sequence)
    } else await delay(choices.integer(0, 5))
  }
  slow.failures = 0
  isPolling = false
  await polling
  for (const client of clients) {
    open(client)
    wires.get(client)!.reads(true)
  }
  const ledgers = [...clients.map(({ ledger }) => ledger), ...pollers]
  const wrong = (): string[] => ledgers.flatMap(ledger => [...ledger.failures, ...ledger.missing()])
  await until('all have everything', () => wrong().length === 0, 10_000).catch(() => {})
  if (wrong().length > 0) throw new Error(wrong().join('; '))
  if (node.errors.length > 0) throw node.errors[0]
  for (const client of clients) client.close()
  await until(
    'nobody needs a shard any more',
    () => node.hub.shards.filter(({ isAwake }) => isAwake).length === 1
  )
  await node.close()
  return { slow, clients, ledgers }
}

const seeds = Number(process.env['FUZZ_RUNS'] ?? 15)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20261121)

for (const [losses, text] of [
  ['none', 'nothing is lost'],
  ['epochs', 'epochs change, and nothing is lost'],
  ['messages', 'messages are lost']
] as const) {
  test(`sends each message once over waking and sleeping shards, or says why not: ${text}`, async t => {
    let [begun, ended, refused, messages, resets] = [0, 0, 0, 0, 0]
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const { slow, clients, ledgers } = await runClients(seed, losses)
      begun += slow.begun
      ended += slow.ended
      for (const client of clients) refused += client.refused
      for (const ledger of ledgers) {
        messages += ledger.messages
        resets += ledger.resets
      }
    }
    t.comment(
      `${seeds} runs from seed ${firstSeed}: ${begun} times a shard was woken, ${ended} times it slept again, ` +
        `${refused} subscribes refused; ${messages} messages, ${resets} resets`
    )
    t.ok(ended > seeds * SHARDS, 'each shard slept again and again')
    t.ok(refused > 0, 'some shards could not be woken')
    t.equal(resets > 0, losses === 'messages', 'resets come exactly where messages are lost')
  })
}
