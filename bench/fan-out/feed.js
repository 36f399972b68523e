/**
 * The process of a remote feeder: `feed.js <topics> <window in ms>`. It reads rates from its input, one a
 * line, and ends with it.
 */
import { createInterface } from 'node:readline'
import { Feeder } from './feeder.js'

const feeder = new Feeder(Number(process.argv[2]), Number(process.argv[3]), batch => {
  process.stdout.write(JSON.stringify(batch) + '\n')
})
process.stdout.on('error', () => { process.exit(0) })
createInterface(process.stdin)
  .on('line', line => { feeder.setRate(Number(line)) })
  .on('close', () => { process.exit(0) })
