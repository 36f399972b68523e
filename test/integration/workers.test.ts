import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { runCommand, type Running, startCommand } from '../helpers/command.js'
import { eventually } from '../helpers/eventually.js'
import { freePort } from '../helpers/free-port.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'
import { openTickwire, type Read, readAll } from '../helpers/tickwire-client.js'
import { SECRET, signedToken } from '../helpers/tokens.js'

/** One server of two workers, on its way through what may happen to it. */

const CLIENTS = 6
const SYMBOLS = ['A', 'B']

interface Answer {
  readonly status: number
  readonly body: string
}

/** Sends a request over a connection of its own: connections go to the workers in turn. */
async function ask (
  origin: string, method: string, path: string, body?: unknown, token?: string
): Promise<Answer> {
  const headers = {
    ...token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...body === undefined ? {} : { 'content-type': 'application/json' }
  }
  const agent = new Agent()
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const asking = request(origin + path, { method, headers, agent }, response => {
        let text = ''
        response.setEncoding('utf8').on('data', chunk => { text += String(chunk) })
          .on('error', reject).on('end', () => { resolve({ status: response.statusCode!, body: text }) })
      })
      asking.setTimeout(5000, () => { asking.destroy(new Error(`no answer to ${method} ${path}`)) })
      asking.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
    })
  } finally {
    agent.destroy()
  }
}

async function nodes (origin: string): Promise<Array<{ name: string, load: { connections: number } }>> {
  const token = signedToken({ sub: 'operator', admin: true })
  const { body } = await ask(origin, 'GET', '/v1/admin/nodes', undefined, token)
  if (!body.includes('"nodes"')) throw new Error(body)
  return (JSON.parse(body) as { nodes: Array<{ name: string, load: { connections: number } }> }).nodes
}

const pidOf = ({ name }: { name: string }): number => Number(/-(\d+)$/.exec(name)![1])
const pids = async (origin: string): Promise<number[]> =>
  (await nodes(origin)).map(pidOf).sort((a, b) => a - b)

/** Publishes without a pause, until it is stopped; what was refused is sent again under its key. */
function publishOn (t: Test, origin: string): { readonly counts: number[], stop (): Promise<void> } {
  const token = signedToken({ sub: 'source', publish: ['*'] })
  const counts = SYMBOLS.map(() => 0)
  const state = { goesOn: true }
  let isOver = false
  t.teardown(() => { isOver = true })
  const running = (async () => {
    for (let n = 1; state.goesOn; n++) {
      for (const [index, symbol] of SYMBOLS.entries()) {
        const data = { symbol, price: String(n), size: '1', timestamp: '2026-01-01T00:00:00Z' }
        const message = { channel: 'trades', symbol, data, idempotency_key: `${symbol}-${n}` }
        for (let taken = false; !taken;) {
          const { body } = await ask(origin, 'POST', '/v1/publish', message, token).catch(() => ({ body: '' }))
          taken = body.includes('"accepted":1')
          if (isOver) return
          if (!taken) await delay(5)
        }
        counts[index] = n
      }
    }
  })()
  return {
    counts,
    async stop () {
      state.goesOn = false
      await running
    }
  }
}

const startServer = (t: Test, port: number, more: Record<string, string> = {}): Running => {
  const server = startCommand(['start'], {
    WORKERS: '2',
    PORT: String(port),
    SOURCES: 'none',
    BARS: 'none',
    UNKNOWN_SYMBOLS: 'accept',
    JWT_SECRET: SECRET,
    DATA_DIR: temporaryFolder(t),
    RATE_LIMIT_REQUESTS: '1000000',
    LOG_LEVEL: 'error',
    ...more
  })
  t.teardown(async () => {
    server.child.kill('SIGTERM')
    await server.finished
  })
  return server
}

test('a server of two workers loses no message while they die, are changed, and close', { timeout: 240_000 }, async t => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const server = startServer(t, port)
  await eventually('it listens', () => server.lines.some(line => line.includes('(2 workers)')))
  const began = await pids(origin)
  t.equal(began.length, 2, 'each worker is a node')

  const clients = Array.from({ length: CLIENTS }, () => openTickwire(t, origin))
  const reads: Read[][] = clients.map(client => SYMBOLS.map(symbol => readAll(client.subscribe('trades', [symbol]))))
  await eventually('all are live', () => clients.every(({ state }) => state.name === 'live'))
  await eventually('each worker has some of them', async () =>
    (await nodes(origin)).every(({ load }) => load.connections >= CLIENTS / 2 - 1))

  const publishing = publishOn(t, origin)
  /** Waits until everybody has some more messages. */
  const more = async (what: string): Promise<void> => {
    const before = publishing.counts[0]!
    await eventually(what, () => reads.every(([read]) => (read!.order.length) > before + 20))
  }
  await more('all read what is published through both workers')

  await t.test('answers for all workers, whichever is asked', async t => {
    for (let turn = 0; turn < 3; turn++) {
      const { body } = await ask(origin, 'GET', '/metrics')
      for (const worker of ['1', '2']) {
        t.match(body, new RegExp(`^tickwire_connections\\{worker="${worker}",transport="websocket"\\} [1-9]|` +
          `^tickwire_connections\\{transport="websocket",worker="${worker}"\\} [1-9]`, 'm'))
      }
      t.match(body, /^process_cpu_seconds_total\{worker="primary"\} /m)
      t.match(body, /^tickwire_workers_silent 0$/m)
      t.equal(body.match(/^# TYPE tickwire_connections gauge$/mg)?.length, 1, 'each metric is described once')
    }
  })

  await t.test('shows the link of an operator once, and takes it on either worker', async t => {
    const links = server.errors.filter(line => line.includes('#code='))
    t.equal(links.length, 1)
    const code = /#code=(\S+)/.exec(links[0]!)![1]!
    const answers = [await ask(origin, 'POST', '/page/admin-token', { code }), await ask(origin, 'POST', '/page/admin-token', { code })]
    t.same(answers.map(({ status }) => status), [200, 401], 'it works once')
    const { admin_token: token } = JSON.parse(answers[0]!.body) as { admin_token: string }
    for (let turn = 0; turn < 2; turn++) {
      t.equal((await ask(origin, 'POST', '/page/admin-token/renew', {}, token)).status, 200)
    }
  })

  await t.test('refuses a port that is taken in one sentence', async t => {
    const { code, err } = await runCommand(['start'], { WORKERS: '2', PORT: String(port), SOURCES: 'none', LOG_LEVEL: 'error', DATA_DIR: temporaryFolder(t) })
    t.equal(code, 1)
    t.match(err, /^tickwire: port \d+ of 127\.0\.0\.1 is taken; stop what listens there, or choose another with PORT\n$/)
  })

  process.kill(began[0]!, 'SIGKILL')
  await eventually('another worker takes the place of one that died', async () => {
    const now = await pids(origin).catch((): number[] => [])
    return now.length === 2 && !now.includes(began[0]!) && now.includes(began[1]!)
  })
  await more('all read on')

  const beforeRoll = await pids(origin)
  server.child.kill('SIGHUP')
  await eventually('all workers are fresh', async () => {
    const now = await pids(origin).catch(() => beforeRoll)
    return now.length === 2 && !now.some(pid => beforeRoll.includes(pid))
  })
  await more('all read on')

  await publishing.stop()
  await eventually('all have everything', () =>
    reads.every(read => read.every(({ messages }, index) => messages.length >= publishing.counts[index]!)))
  for (const read of reads) {
    for (const [index, { order, messages }] of read.entries()) {
      const all: Read['order'] = order.map((_, index) => index + 1)
      t.same(order, all, 'every message once and in order, without a reset')
      t.same(messages.map(({ data }) => Number((data as { price: string }).price)), order, 'as published')
      t.equal(order.length, publishing.counts[index])
    }
  }

  server.child.kill('SIGTERM')
  t.equal((await server.finished).code, 0)
  await t.rejects(ask(origin, 'GET', '/healthz'), 'nobody is left')
})

test('workers end with the first process, and one that cannot serve what is asked says so', async t => {
  const port = await freePort()
  const server = startServer(t, port)
  await eventually('it listens', () => server.lines.some(line => line.includes('(2 workers)')))
  const workers = await pids(`http://127.0.0.1:${port}`)
  server.child.kill('SIGKILL')
  await server.finished
  await eventually('no worker is left', () => workers.every(pid => !isAlive(pid)))

  const { code, err } = await runCommand(['start'], { WORKERS: '2', RECORD: 'trades', LOG_LEVEL: 'error', DATA_DIR: temporaryFolder(t) })
  t.equal(code, 1)
  t.match(err, /^tickwire: RECORD needs DATABASE_URL with WORKERS=2: .* or WORKERS=1\n$/)
})

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
