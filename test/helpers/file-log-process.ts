import { standardChannels } from '@tickwire/protocol'
import { FileLog } from '../../src/log/file/file-log.js'

/**
 * A process with a log in files, into which several publishers append until it is killed. It tells its parent
 * of each message that the log acknowledges.
 */
const { path } = JSON.parse(process.argv[2]!) as { readonly path: string }

const PUBLISHERS = 8
const log = await FileLog.open({
  path,
  channels: standardChannels,
  shards: 2,
  retention: { messages: 1_000_000, seconds: 3600, bytes: 1 << 28 },
  maxTopics: 1000,
  fsync: 50,
  segmentBytes: 100_000,
  onError: error => { process.emitWarning(String(error)) }
})
process.send!({ heads: await log.head() })
let n = 0
await Promise.all(Array.from({ length: PUBLISHERS }, async (_, publisher) => {
  for (;;) {
    const items = Array.from({ length: 1 + n % 5 }, () => ({
      topic: `trades:S${publisher % 4}`,
      payload: JSON.stringify({ n: ++n, of: process.pid, pad: 'x'.repeat(n % 300) })
    }))
    const results = await log.append(items)
    process.send!({
      acknowledged: results.map((result, index) => ({ ...result, payload: items[index]!.payload }))
    })
    // Others have their turn.
    await new Promise(resolve => { setImmediate(resolve) })
  }
}))
