import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { provideServices } from '../scripts/services.js'

/**
 * A Redis of a bench's own, on a socket, without persistence. It ends with the bench.
 * @param {readonly string[]} [settings] beside its defaults
 * @returns {Promise<{ url: string, pid: number, program: string, client: () => Redis, close: () => void }>}
 */
export async function startRedis (settings = []) {
  const program = provideServices()['TEST_REDIS_SERVER'] ?? ''
  if (program === '') throw new Error('this bench needs a redis-server on this machine')
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-bench-'))
  const url = join(folder, 'redis.sock')
  const child = spawn(program, ['--port', '0', '--unixsocket', url, '--dir', folder, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', ...settings], { stdio: 'ignore' })
  const close = () => {
    process.off('exit', close)
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', close)
  const client = () => new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null }).on('error', () => {})
  const first = client()
  await first.ping()
  first.disconnect()
  return { url, pid: /** @type {number} */ (child.pid), program, client, close }
}

/**
 * What `redis-benchmark` reaches with bare, pipelined XADDs of a size, on the same server.
 * @param {string} program the redis-server beside it
 * @param {string} socket
 * @param {number} bytes
 * @param {number} pipeline commands that are sent at a time
 * @returns {number} commands a second
 */
export function bareXadd (program, socket, bytes, pipeline) {
  const out = execFileSync(join(program, '..', 'redis-benchmark'), [
    '-s', socket, '-c', '4', '-P', String(pipeline), '-n', '1000000', '--csv', 'XADD', 'bare', 'MAXLEN', '~', '10000', '*', 'd', 'x'.repeat(bytes)
  ], { encoding: 'utf8' })
  return Number(out.trim().split('\n').at(-1)?.split(',')[1]?.replaceAll('"', ''))
}

/**
 * CPU seconds that a process has used, as the kernel counts them.
 * @param {number} pid
 */
export function cpuSeconds (pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export { delay }
