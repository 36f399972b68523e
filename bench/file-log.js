/**
 * What a log in files costs beside one in memory: appends a second and CPU for each message, by `LOG_FSYNC`,
 * and how long a restart takes.
 *
 * npm run bench -- file-log [--bytes 200] [--topics 1000] [--batch 10] [--ahead 100] [--seconds 5]
 *   [--restart 1000000] [--folder /tmp]
 *
 * An append has `batch` messages, and `ahead` appends are under way at a time. `--restart` is a list of
 * numbers of messages that are kept: 1000000,10000000 needs 8 GiB of memory and as much room in `--folder`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { standardChannels } from '@tickwire/protocol'
import { FileLog } from '../dist/src/log/file/file-log.js'
import { SEGMENT_BYTES } from '../dist/src/log/file/open-files.js'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({
  bytes: 200, topics: 1000, batch: 10, ahead: 100, seconds: 5, restart: '1000000', folder: tmpdir(), part: ''
})
const { bytes, topics, batch, ahead, seconds, restart, folder, part } = settings

const names = Array.from({ length: topics }, (_, index) => `trades:S${String(index).padStart(4, '0')}`)
const FIXED = JSON.stringify({ price: '101.25', size: '3', pad: '' })
const payload = JSON.stringify({ price: '101.25', size: '3', pad: 'x'.repeat(bytes - FIXED.length) })
const round = (/** @type {number} */ value, digits = 2) => Number(value.toFixed(digits))

/** @param {string} path @param {'always' | 'never' | number} fsync @param {number} messages to retain */
const open = async (path, fsync, messages) => await FileLog.open({
  path, fsync, ...retaining(messages), segmentBytes: SEGMENT_BYTES, onError: error => { throw error }
})

/** @param {number} messages */
const retaining = messages => ({
  channels: standardChannels,
  retention: { messages: 1_000_000_000, seconds: 86_400, bytes: messages * (bytes + 150) },
  maxTopics: 100_000
})

/** @param {import('../dist/src/log/log.js').Log} log @param {() => boolean} goesOn */
async function append (log, goesOn) {
  let next = 0
  let appended = 0
  /** @type {number[]} */
  const waits = []
  await Promise.all(Array.from({ length: ahead }, async () => {
    while (goesOn()) {
      const items = Array.from({ length: batch }, () => ({ topic: names[next++ % topics] ?? '', payload }))
      const at = performance.now()
      await log.append(items)
      waits.push(performance.now() - at)
      appended += batch
      // A log in memory answers at once: others have their turn, as they do on a server.
      await new Promise(resolve => { setImmediate(resolve) })
    }
  }))
  return { appended, waits }
}

/** Appends for some seconds. @param {string} kind */
async function appends (kind) {
  const path = mkdtempSync(join(folder, 'tickwire-bench-'))
  const fsync = kind === 'always' || kind === 'never' ? kind : Number(kind)
  // The log drops messages, and removes files, from the first seconds on.
  const log = kind === 'memory' ? new MemoryLog(retaining(500_000)) : await open(path, fsync, 500_000)
  const warm = performance.now() + 1000
  await append(log, () => performance.now() < warm)
  const before = process.cpuUsage()
  const began = performance.now()
  const { appended, waits } = await append(log, () => performance.now() < began + seconds * 1000)
  const took = (performance.now() - began) / 1000
  const used = process.cpuUsage(before)
  await log.close()
  rmSync(path, { recursive: true })
  return {
    what: kind === 'memory' ? 'appends, in memory' : `appends, LOG_FSYNC=${kind}`,
    messages: appended,
    'messages/s': round(appended / took, 0),
    'µs CPU/message': round((used.user + used.system) / appended),
    'answered ms, p50': round(percentile(waits, 50)),
    'answered ms, p99': round(percentile(waits, 99)),
    'MiB of files': 0,
    s: round(took)
  }
}

/** Fills a log with messages. @param {string} path @param {number} messages */
async function fill (path, messages) {
  const log = await open(path, 'never', messages)
  let left = messages
  await append(log, () => (left -= batch) >= 0)
  await log.close()
}

/** Opens a log that has messages. @param {string} path @param {number} messages */
async function reopen (path, messages) {
  const before = process.cpuUsage()
  const began = performance.now()
  const log = await open(path, 'never', messages)
  const took = (performance.now() - began) / 1000
  const used = process.cpuUsage(before)
  const { found } = log
  await log.close()
  return {
    what: 'restart',
    messages: found.messages,
    'messages/s': round(found.messages / took, 0),
    'µs CPU/message': round((used.user + used.system) / found.messages),
    'answered ms, p50': 0,
    'answered ms, p99': 0,
    'MiB of files': round(found.bytes / 2 ** 20, 0),
    s: round(took)
  }
}

/** Runs a part in a process of its own. @param {string[]} words */
function apart (...words) {
  const given = Object.entries({ bytes, topics, batch, ahead, seconds, folder })
    .map(([name, value]) => `--${name}=${value}`)
  const output = join(mkdtempSync(join(tmpdir(), 'tickwire-bench-')), 'result.json')
  const { status } = spawnSync(process.execPath, [
    fileURLToPath(import.meta.url), ...given, `--part=${[...words, output].join(' ')}`
  ], { stdio: 'inherit' })
  if (status !== 0) process.exit(1)
  const result = JSON.parse(readFileSync(output, 'utf8'))
  rmSync(join(output, '..'), { recursive: true })
  return result
}

if (part !== '') {
  const [what = '', kind = '', messages = '', ...rest] = part.split(' ')
  const output = rest.at(-1) ?? messages
  const result = what === 'appends'
    ? await appends(kind)
    : await (what === 'fill' ? fill : reopen)(kind, Number(messages))
  writeFileSync(output, JSON.stringify(result ?? {}))
} else {
  const rows = ['memory', 'never', '1000', 'always', 'memory'].map(kind => apart('appends', kind))
  for (const messages of restart.split(',').filter(text => text !== '')) {
    const path = mkdtempSync(join(folder, 'tickwire-bench-'))
    apart('fill', path, messages)
    rows.push(apart('reopen', path, messages))
    console.log(`${messages}: ${readdirSync(path).filter(name => name.endsWith('.log')).length} files`)
    rmSync(path, { recursive: true })
  }
  const { part: _part, ...used } = settings
  reportTable('file-log', used, rows)
}
