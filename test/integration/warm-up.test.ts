import { test } from 'tap'
import { loadConfig } from '../../src/config.js'
import { warmUp } from '../../src/warm-up/warm-up.js'
import { until } from '../helpers/clients.js'
import { startCommand } from '../helpers/command.js'

const SECRET = { JWT_SECRET: 'a secret of this test alone, with 32 bytes' }

test('a server warms up before it listens, and nothing of that is seen afterwards', async t => {
  const { child, lines, finished } = startCommand(['start', '--port', '0'], { ...SECRET, SOURCES: 'none', WARM_UP_MS: '200' })
  t.teardown(async () => {
    child.kill()
    await finished
  })
  await until('it listens', () => lines.some(line => line.startsWith('tickwire listens on')))
  const said = lines.findIndex(line => line.includes('the server has warmed up'))
  t.match(JSON.parse(lines[said]!), { batches: Number, took_ms: Number })
  t.ok(said < lines.findIndex(line => line.startsWith('tickwire listens on')), 'it said so before it listened')
  t.notMatch(lines.join('\n'), /WARM\d|"user":"warm-up"|"event":"publish"/, 'the lines tell of no client')
  const url = lines.find(line => line.startsWith('tickwire listens on'))!.split(' ').at(-1)!
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.match(metrics, /^tickwire_messages_received_total 0$/m)
  t.match(metrics, /^tickwire_batches_received_total 0$/m)
})

test('a warm-up does what clients and publishers do, for as long as it may, and leaves nothing open', async t => {
  const before = process.getActiveResourcesInfo().length
  const beganAt = performance.now()
  const batches = await warmUp(loadConfig(SECRET), 300)
  t.ok(performance.now() - beganAt >= 300, 'it took its time')
  t.ok(batches >= 1, 'batches were published and answered')
  await until('its sockets, timers and servers are gone', () => process.getActiveResourcesInfo().length <= before)
})
