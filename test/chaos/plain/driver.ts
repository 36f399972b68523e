import type { Command, DriverEvent } from '../events.js'
import { type Broken, brokenWays } from './broken.js'
import { PlainClient } from './client.js'

/** The driver of a plain client: `driver.js [what is broken …]`. */
const broken = process.argv.slice(2)
  .filter((way): way is Broken => (brokenWays as readonly string[]).includes(way))
const tell = (event: DriverEvent): void => { process.stdout.write(`${JSON.stringify(event)}\n`) }
const client = new PlainClient(tell, new Set(broken))

function close (): void {
  client.close()
  tell({ event: 'closed' })
  process.exitCode = 0
  process.stdin.destroy()
}

function perform (command: Command): void {
  switch (command.do) {
    case 'connect': return client.connect(command)
    case 'subscribe': return client.subscribe(command)
    case 'close': return close()
    default: throw new Error(`an unknown command: ${JSON.stringify(command satisfies never)}`)
  }
}

let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (chunk: string) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()!
  for (const line of lines) perform(JSON.parse(line) as Command)
})
process.stdin.on('end', close)
tell({ event: 'ready' })
