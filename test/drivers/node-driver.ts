// Drives the JavaScript client in Node: commands on stdin, events on stdout, an object a line.
import { createInterface } from 'node:readline'
import { TickwireClient } from '@tickwire/client'
import { WebSocket } from 'ws'
import { type DriverCommand, driveClient } from './commands.js'

const say = (event: object): void => { process.stdout.write(`${JSON.stringify(event)}\n`) }
const act = driveClient(TickwireClient, { WebSocket }, say)
const lines = createInterface({ input: process.stdin })
say({ event: 'ready' })

function close (): void {
  act({ do: 'close' })
  process.stdout.write(`${JSON.stringify({ event: 'closed' })}\n`, () => { process.exit(0) })
}

for await (const line of lines) {
  const command = JSON.parse(line) as DriverCommand
  if (command.do === 'close') close()
  else act(command)
}
close()
