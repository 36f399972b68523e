import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileLog } from '../../src/log/file/file-log.js'
import { SEGMENT_BYTES } from '../../src/log/file/open-files.js'
import { ENTRY_OVERHEAD_BYTES } from '../../src/log/memory/drop-order.js'
import { copyLog, loseBeyond, quickDisk } from '../helpers/log-files.js'
import { ReopenedLog } from '../helpers/reopened-log.js'
import type { LogBackend } from './logs.js'

const FSYNC_MS = 1000

/**
 * A log in files, which a restart opens again: from a copy of them as a killed process leaves them, without
 * the messages that are to be lost.
 */
export const fileBackend: LogBackend = {
  name: 'files',
  exact: { overheadBytes: ENTRY_OVERHEAD_BYTES },
  dropsAnew: true,
  async open ({ clock, ...options }) {
    const folder = mkdtempSync(join(tmpdir(), 'tickwire-test-'))
    // A log that is opened again knows its time from what it wrote, and the tests' clock may go back.
    let time = 0
    const log = async (path: string): Promise<FileLog> => await FileLog.open({
      ...options,
      clock: {
        now () {
          time = Math.max(time, clock.now())
          return time
        },
        randomEpoch: () => clock.randomEpoch()
      },
      path,
      disk: quickDisk,
      fsync: FSYNC_MS,
      segmentBytes: SEGMENT_BYTES,
      onError: error => { process.emitWarning(String(error)) }
    })
    let turn = 0
    let path = join(folder, String(turn))
    let opened = await log(path)
    const reopened = new ReopenedLog(opened)
    return {
      log: reopened,
      async restart (keep) {
        const before = opened
        const next = join(folder, String(++turn))
        copyLog(path, next)
        await before.close()
        loseBeyond(next, keep, topic => before.shardOf(topic))
        path = next
        opened = await log(path)
        await reopened.goOnIn(opened)
      },
      async close () {
        await opened.close()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }
}
