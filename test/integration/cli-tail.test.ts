import { test } from 'tap'
import { openBarrier } from '../helpers/barrier.js'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { networkTo } from '../helpers/network.js'
import { publish, startServer, subscribers } from '../helpers/server.js'

for (const transport of ['ws', 'sse', 'poll']) {
  test(`tail over ${transport}: shows each message once and in order through cuts`, async t => {
    const server = await startServer(t)
    const network = await networkTo(t, Number(new URL(server.origin).port))
    const tail = startCommand([
      'tail',
      'quotes:A',
      '--transport',
      transport,
      '--json',
      '--url',
      network.origin
    ])
    t.teardown(() => { tail.child.kill() })
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
    const sequences = (): number[] =>
      tail.lines
        .map(line => JSON.parse(line) as { sequence?: number })
        .flatMap(({ sequence }) => sequence ?? [])
    await until('the first', () => sequences().includes(1))
    for (let bid = 2; bid <= 40; bid++) {
      await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: String(bid) })
      if (bid % 10 === 0) {
        network.take()
        await until('tail has noticed', () => tail.errors.some(line => line.includes('the connection ended')))
        tail.errors.length = 0
        network.giveBack()
        await until('tail has come back', () => sequences().at(-1) === bid)
      }
    }
    await until('the last', () => sequences().at(-1) === 40)
    t.same(sequences(), Array.from({ length: 40 }, (_, index) => index + 1))
    tail.child.kill('SIGINT')
    const { code, err } = await tail.finished
    t.equal(code, 130)
    t.match(err, /to go on: --after \S+/)
    const cursor = /--after (\S+)/.exec(err)![1]!
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '41' })
    const resume = ['tail', 'quotes:A', '--transport', transport, '--json', '-n', '1', '--after', cursor]
    const again = await runCommand([...resume, '--url', server.origin])
    t.equal(again.code, 0)
    t.match(again.out, '"sequence":41', 'another tail continues where it ended')
  })
}

for (const transport of ['ws', 'sse', 'poll']) {
  test(`tail over ${transport}: waits at an interrupt for the cursor that covers what it has shown`, async t => {
    const server = await startServer(t)
    const tail = startCommand([
      'tail',
      'trades:A',
      '--transport',
      transport,
      '--json',
      '--url',
      server.origin
    ])
    t.teardown(() => { tail.child.kill() })
    const trade = async (price: string): Promise<void> => {
      await publish(server.app, 'trades', 'A', {
        symbol: 'A',
        price,
        size: '1',
        timestamp: '2026-01-01T00:00:00Z'
      })
    }
    const shows = async (price: number): Promise<void> => {
      await trade(String(price))
      await until(`tail shows ${price}`, () => tail.lines.some(line => line.includes(`"price":"${price}"`)))
    }
    await until('tail is subscribed', () => subscribers(server, 'trades:A') > 0)
    // Over WebSocket a cursor comes at most once a second, so none covers the last of these when tail shows
    // them.
    for (let price = 1; price <= 5; price++) await shows(price)
    tail.child.kill('SIGINT')
    const { code, err } = await tail.finished
    t.equal(code, 130)
    const [, cursor = ''] = /to go on: --after (\S+)$/m.exec(err) ?? []
    await trade('6')
    const resume = ['tail', 'trades:A', '--transport', transport, '--json', '-n', '1', '--after', cursor]
    const again = await runCommand([...resume, '--url', server.origin])
    t.match(again.out, '"price":"6"', 'another tail continues where it ended')
  })
}

test('tail: reads over the first transport that works, and says which', async t => {
  const server = await startServer(t)
  const barrier = await openBarrier(t, Number(new URL(server.origin).port))
  barrier.upgrades = 'refuse'
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const { code, out, err } = await runCommand(['tail', 'quotes:A', '--json', '-n', '1', '--url', barrier.origin])
  t.equal(code, 0)
  t.match(out, '"sequence":1')
  t.match(err, 'the stream comes over event-stream now')
})

test('tail: shows a message once that two of its topics cover', async t => {
  const server = await startServer(t)
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const tail = startCommand(['tail', 'quotes:A', 'quotes:*', '--json', '--url', server.origin])
  t.teardown(() => { tail.child.kill() })
  await until('the state is shown', () => tail.lines.length > 0)
  for (const bid of ['2', '3']) await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
  await until('the last is shown', () => tail.lines.some(line => line.includes('"sequence":3')))
  const sequences = tail.lines.map(line => (JSON.parse(line) as { sequence: number }).sequence)
  t.same(sequences, [1, 2, 3])
})

test('tail: says what is shown again if it ends before the cursor', async t => {
  const server = await startServer(t)
  for (const bid of ['1', '2', '3']) await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
  const { cursor } = (await (await fetch(`${server.origin}/v1/stream?subscribe=quotes:A`)).json()) as {
    cursor: string
  }
  for (const bid of ['4', '5', '6']) await publish(server.app, 'quotes', 'A', { symbol: 'A', bid })
  const { code, err } = await runCommand([
    'tail',
    'quotes:A',
    '--transport',
    'poll',
    '-n',
    '2',
    '--url',
    server.origin,
    '--after',
    cursor
  ])
  t.equal(code, 0)
  t.match(err, `to go on: --after ${cursor} (it shows the last 2 messages again)\n`)
})

test('tail: ends with a sentence at a limit that waiting cannot lift', async t => {
  const server = await startServer(t, { MAX_SUBSCRIPTIONS: 2 })
  await Promise.all(['ws', 'sse', 'poll'].map(async transport => {
    const { child, errors, finished } = startCommand([
      'tail',
      'quotes:A',
      'quotes:B',
      'quotes:C',
      '--transport',
      transport,
      '--url',
      server.origin
    ])
    t.teardown(() => { child.kill() })
    await until('tail says something', () => errors.length > 0)
    t.match(errors[0], /too_many_subscriptions: a connection has at most 2 subscriptions; a set/, transport)
    child.kill()
    t.equal((await finished).code, 1, `${transport}: it ended by itself`)
  }))
})

test('tail: writes for people, and ends with a sentence at what cannot be helped', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '185.50', ask: '185.52' })
  const shown = await runCommand(['tail', 'quotes:A', '-n', '1', '--url', server.origin])
  t.match(shown.out, /^\d\d:\d\d:\d\d\.\d{3} {2}quotes:A +1 \* {2}bid 185\.50 {2}ask 185\.52\n$/)
  t.equal(shown.code, 0)
  await Promise.all(['ws', 'sse', 'poll'].map(async transport => {
    for (const [args, words] of [
      [['tail', 'quotes:UNHEARD'], /unknown_symbol: .*\/v1\/symbols/],
      [['tail', 'orders'], /unauthorized: .*TICKWIRE_TOKEN/],
      [['tail', 'quotes:A', '--after', 'nonsense'], /bad_cursor/]
    ] as const) {
      const { code, err } = await runCommand([...args, '--transport', transport, '--url', server.origin])
      t.equal(code, 1)
      t.match(err, words, transport)
    }
    t.match(
      (await runCommand(['tail', 'quotes:A', '--transport', transport, '--url', 'http://127.0.0.1:2'])).err,
      /no server listens/
    )
  }))
})
