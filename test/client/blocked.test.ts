import { Worker } from 'node:worker_threads'
import { TickwireClient, type Transport } from '@tickwire/client'
import { TestServer } from '@tickwire/client/testing'
import { test } from 'tap'
import { until } from '../helpers/clients.js'

/** Longer than the client waits for a welcome. */
const BLOCKED_MS = 3300
const BEFORE_MS = 50
const ANSWER = "setTimeout(() => { require('node:worker_threads').parentPort.postMessage('') }, 1000)"

function block (): void {
  const end = performance.now() + BLOCKED_MS
  while (performance.now() < end);
}

test('a page that was blocked reads what has come meanwhile before it gives up an attempt', async t => {
  const server = new TestServer()
  let opened = 0
  const transport: Transport = {
    ...server.transport,
    open: (request, events, environment) => {
      opened++
      // As on a socket, what comes from a thread waits until timers that are due have run.
      const far = new Worker(ANSWER, { eval: true })
      let link: ReturnType<Transport['open']> | undefined
      far.once('message', () => { link = server.transport.open(request, events, environment) })
      setTimeout(block, BEFORE_MS)
      return { send: action => { link!.send!(action) }, close: () => { link?.close() } }
    }
  }
  const client = new TickwireClient({ ...server.options, transports: [transport] })
  t.teardown(() => { client.close() })
  client.subscribe('trades', ['A']).onMessage(() => {})
  await until('the client is live', () => client.state.name === 'live')
  t.equal(opened, 1)
  t.notMatch(client.inspect().events, /no welcome/)
})
