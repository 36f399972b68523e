/**
 * Runs Centrifugo, with history and recovery on, in the place of this project's server: it says where
 * Centrifugo listens and which process it is, and ends with its input. Another process publishes to it.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const PATIENCE_MS = 10_000
/** Longer than any run: the load generator answers no pings. */
const QUIET = '600s'

/** @returns {Promise<number>} */
async function freePort () {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => { server.once('listening', resolve) })
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  await new Promise(resolve => { server.close(resolve) })
  return port
}

const port = await freePort()
const folder = mkdtempSync(join(tmpdir(), 'tickwire-centrifugo-'))
const file = join(folder, 'config.json')
writeFileSync(file, JSON.stringify({
  http_server: { address: '127.0.0.1', port },
  log: { level: 'error' },
  client: {
    allowed_origins: ['*'],
    insecure: true,
    channel_limit: 1000,
    ping_interval: QUIET,
    pong_timeout: '300s',
    stale_close_delay: QUIET
  },
  http_api: { insecure: true },
  channel: {
    without_namespace: {
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: true,
      history_size: 1000,
      history_ttl: '300s',
      force_recovery: true
    }
  }
}))
const program = process.argv[3] ?? 'centrifugo'
const child = spawn(program, ['--config', file], { stdio: ['ignore', 'inherit', 'inherit'] })
child.once('exit', code => { process.exit(code ?? 1) })
const end = () => {
  rmSync(folder, { recursive: true, force: true })
  child.kill('SIGKILL')
}
process.once('exit', end)
for (const deadline = Date.now() + PATIENCE_MS; ;) {
  const answer = await fetch(`http://127.0.0.1:${port}/connection/websocket`).catch(() => undefined)
  if (answer !== undefined) break
  if (Date.now() > deadline) throw new Error('Centrifugo did not listen in time')
  await delay(50)
}
createInterface(process.stdin).on('line', () => { console.log('0') }).on('close', () => { process.exit(0) })
console.log(`port ${port} none ${child.pid}`)
