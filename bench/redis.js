import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { provideServices } from '../scripts/services.js'

/**
 * Starts a Redis for one bench, on a socket, without persistence. It ends with the bench.
 * @param {readonly string[]} [settings] further arguments of redis-server
 * @returns {Promise<{ url: string, pid: number, program: string, client: () => Redis, close: () => void }>}
 */
export async function startRedis (settings = []) {
  const program = provideServices()['TEST_REDIS_SERVER'] ?? ''
  if (program === '') throw new Error('this bench needs a redis-server on this machine')
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-bench-'))
  const url = join(folder, 'redis.sock')
  const base = [
    '--port', '0', '--unixsocket', url, '--dir', folder,
    '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'
  ]
  const child = spawn(program, [...base, ...settings], { stdio: 'ignore' })
  const close = () => {
    process.off('exit', close)
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', close)
  const options = { retryStrategy: () => 20, maxRetriesPerRequest: null }
  const client = () => new Redis(url, options).on('error', () => {})
  const first = client()
  await first.ping()
  first.disconnect()
  return { url, pid: /** @type {number} */ (child.pid), program, client, close }
}

/**
 * Measures bare, pipelined XADDs of a size with `redis-benchmark`, on the same server.
 * @param {string} program the redis-server, which redis-benchmark is beside
 * @param {string} socket
 * @param {number} bytes
 * @param {number} pipeline commands that are sent together
 * @returns {number} commands a second
 */
export function bareXadd (program, socket, bytes, pipeline) {
  const out = execFileSync(join(program, '..', 'redis-benchmark'), [
    '-s', socket, '-c', '4', '-P', String(pipeline), '-n', '1000000', '--csv',
    'XADD', 'bare', 'MAXLEN', '~', '10000', '*', 'd', 'x'.repeat(bytes)
  ], { encoding: 'utf8' })
  return Number(out.trim().split('\n').at(-1)?.split(',')[1]?.replaceAll('"', ''))
}

/**
 * Returns the CPU seconds that a process has used, as the kernel counts them.
 * @param {number} pid
 */
export function cpuSeconds (pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export { delay }
