import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { readArguments } from '../../src/cli/command.js'
import { describe, sizing } from '../../src/cli/commands/sizing.js'
import {
  DEFAULT_LOAD,
  FIGURES,
  type Load,
  MOST_MESSAGES,
  nodeMicros,
  size,
  writesPerSecond
} from '../../src/cli/sizing.js'
import { ROOT } from '../helpers/root.js'

/** How far the formula may be from a row; a new measurement is never quite the same. */
const LEAST = 0.9
const MOST = 2.5

/**
 * Compares the formula of `tickwire sizing` with the benches, and the examples of its page with the formula.
 */

type Row = Readonly<Record<string, number & string>>
const file = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const rows = (name: string): Row[] =>
  (JSON.parse(file(`bench/results/${name}.json`)) as { results: { rows: Row[] } }).results.rows
const results = (name: string): Record<string, number> =>
  (JSON.parse(file(`bench/results/${name}.json`)) as { results: Record<string, number> }).results

/** Tells whether a row counts: neither did others have the core, nor was the server at its limit. */
const isSound = ({ marks }: Row): boolean => !/saturated|disturbed/.test(marks!)

/** Returns the measured CPU time, in microseconds a second. */
const cpuOf = (row: Row): number =>
  row['µs/message'] === undefined ? row['CPU %']! * 10_000 : row['µs/message'] * row['msg/s delivered']!

test('estimates the CPU of a node hardly below the measurement, and not far above', async t => {
  const measured = [
    ...rows('fan-out')
      .filter(({ server }) => /^tickwire/.test(server!))
      .map(row => ['fan-out', row] as const),
    ...rows('latency').map(row => ['latency', row] as const),
    ...rows('throughput').map(row => ['throughput', row] as const)
  ].filter(([, row]) => isSound(row))
  t.ok(measured.length >= 20, `${measured.length} rows`)
  for (const [bench, row] of measured) {
    const deliveries = row['msg/s delivered']!
    const said = nodeMicros({
      messages: row['msg/s published'] ?? row['msg/s']!,
      writes: deliveries / row['msg/read']!,
      deliveries
    })
    const ratio = said / cpuOf(row)
    t.ok(
      ratio >= LEAST && ratio <= MOST,
      `${bench} ${row['shape'] ?? row['load %'] ?? ''} ${row['server'] ?? row['FLUSH_MS']}: ${ratio.toFixed(2)} of what was measured`
    )
  }
})

test('estimates as many writes as were measured', async t => {
  const shapes: Record<string, { perClient: number, windowMs: number }> = {
    a: { perClient: 1000, windowMs: 10 },
    b: { perClient: 100, windowMs: 10 },
    c: { perClient: 500, windowMs: 10 },
    d: { perClient: 5, windowMs: 25 }
  }
  const measured = rows('fan-out').filter(row => /^tickwire/.test(row['server']!) && isSound(row))
  t.equal(new Set(measured.map(({ shape }) => shape)).size, 4)
  for (const row of measured) {
    const { perClient, windowMs } = shapes[row['shape']!]!
    const ratio = perClient / writesPerSecond(perClient, windowMs) / row['msg/read']!
    t.ok(
      Math.abs(ratio - 1) <= 0.05,
      `${row['shape']} ${row['server']}: ${ratio.toFixed(3)} of the messages of a write`
    )
  }
})

test('takes its other figures from the measurements, rounded for the worse', async t => {
  const within = (name: string, figure: number, measured: number, most: number): void => {
    t.ok(figure >= measured * LEAST && figure <= measured * most, `${name}: ${figure}, measured ${measured}`)
  }
  const published = results('publish')
  within('messages that one Redis takes', published['messages a second']!, FIGURES.appendsPerSecond, 1.05)
  within(
    'a message',
    FIGURES.messageMicros,
    (published['cores used by the node']! * 1e6) / published['messages a second']!,
    1.1
  )
  const resumed = results('resume')
  within(
    'a resume',
    FIGURES.resumeMicros,
    (resumed['on the same node: CPU seconds of the nodes']! * 1e6) /
      resumed['on the same node: connections']!,
    1.1
  )
  for (const row of rows('memory').filter(({ server }) => /^tickwire/.test(server!))) {
    within(`a connection, ${row['server']}`, FIGURES.connectionBytes / 1024, row['KiB each of 10000']!, 1.5)
  }
  within(
    'a node',
    FIGURES.nodeBytes / 2 ** 20,
    Math.max(...rows('throughput').map(row => row['MiB idle']!)),
    1.5
  )
})

test('prints the examples of the docs', async t => {
  let examples = 0
  for (const page of ['sizing', 'a-million']) {
    for (const [, line, said] of file(`docs/deployment/${page}.md`).matchAll(/```\n\$ npx tickwire sizing ?([^\n]*)\n(.*?)\n```/gs)) {
      examples++
      const printed: string[] = []
      const { log } = console
      console.log = (text: string) => { printed.push(text) }
      try {
        await sizing.run({ ...readArguments(sizing, line!.split(' ').filter(word => word !== '')), env: {} })
      } finally {
        console.log = log
      }
      t.equal(printed.join('\n'), said, `${page}: ${line}`)
    }
  }
  t.ok(examples >= 5, `${examples} examples`)
})

const load: fc.Arbitrary<Load> = fc.record({
  clients: fc.integer({ min: 1, max: 1_000_000 }),
  messages: fc.integer({ min: 1, max: MOST_MESSAGES }),
  topics: fc.integer({ min: 1000, max: 100_000 }),
  subscriptions: fc.integer({ min: 1, max: 1000 }),
  bytes: fc.integer({ min: 50, max: 5000 }),
  windowMs: fc.integer({ min: 1, max: 50 }),
  throttleMs: fc.option(fc.integer({ min: 10, max: 60_000 }), { nil: undefined }),
  shardsOfNode: fc.option(fc.integer({ min: 1, max: 32 }), { nil: undefined })
})

test('never needs less for more load, and recommends enough', async t => {
  fc.assert(fc.property(load, fc.constantFrom('clients', 'subscriptions', 'bytes'), (given, more) => {
    const [one, other] = [size(given), size({ ...given, [more]: given[more] * 2 })]
    const total = ({ nodes }: typeof one): number => nodes === undefined ? Infinity : nodes.count
    return total(other) >= total(one)
  }))
  fc.assert(fc.property(load, given => {
    const { masters, shards, nodes, intakeMicros } = size(given)
    const everyShardHasOne = masters >= 1 && masters <= shards && shards <= 32
    if (nodes === undefined) return everyShardHasOne && intakeMicros > 0
    return (
      everyShardHasOne &&
      (nodes.count - 1) * nodes.clients >= given.clients &&
      nodes.cores <= 0.6001 &&
      nodes.clients <= 12_000
    )
  }))
  t.equal(size({ ...DEFAULT_LOAD, throttleMs: 60_000 }).nodes!.count, 2, 'at least two are recommended')
})

test('says what to do if no node could hear of all messages', async t => {
  const much = { ...DEFAULT_LOAD, messages: 500_000 }
  t.equal(size(much).nodes, undefined)
  t.match(
    describe(much, size(much)),
    /No node can do that.*lead clients to nodes by what they read \(--shards-of-node\)/
  )
  t.not(size({ ...much, shardsOfNode: 1 }).nodes, undefined)
  for (const [args, message] of [
    [['--clients', '0'], /--clients is a whole number above 0/],
    [['--window', '51'], /--window is at most 50 ms/],
    [['--subscriptions', '2000'], /--subscriptions is at most --topics/],
    [['--messages', '99999999'], /--messages is at most 1712000/],
    [['much'], /sizing takes flags only, not 'much'/]
  ] as const) await t.rejects(sizing.run({ ...readArguments(sizing, args), env: {} }), { message })
})
