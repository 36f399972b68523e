// Drives the JavaScript client in a page of Chromium: commands on stdin, events on stdout, an object a line.
import { build } from 'esbuild'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Chromium } from './chromium.js'
import type { DriverCommand } from './commands.js'

const COMMANDS = fileURLToPath(new URL('commands.js', import.meta.url))
const PAGE = `import { TickwireClient } from '@tickwire/client'
import { driveClient } from ${JSON.stringify(COMMANDS)}
globalThis.act = driveClient(TickwireClient, {}, event => { say(JSON.stringify(event)) })`

const { outputFiles } = await build({
  stdin: { contents: PAGE, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
  bundle: true,
  format: 'iife',
  platform: 'browser',
  write: false,
  logLevel: 'silent'
})
const script = outputFiles[0]!.text
const chromium = await Chromium.start(process.env['TEST_CHROMIUM'] ?? 'chromium')
chromium.onText = text => { process.stdout.write(`${text}\n`) }
chromium.onError = text => { process.stderr.write(`${text}\n`) }
const act = async (command: DriverCommand): Promise<void> => {
  // The page is of the server's own origin, as the page of an application mostly is.
  if (command.do === 'connect') await chromium.open(command.url!, script)
  await chromium.evaluate(`act(${JSON.stringify(command)})`)
}

const lines = createInterface({ input: process.stdin })
process.stdout.write(`${JSON.stringify({ event: 'ready' })}\n`)
let isOpen = false
for await (const line of lines) {
  const command = JSON.parse(line) as DriverCommand
  if (command.do === 'close') break
  isOpen ||= command.do === 'connect'
  await act(command)
}
if (isOpen) await act({ do: 'close' })
await chromium.close()
process.stdout.write(`${JSON.stringify({ event: 'closed' })}\n`, () => { process.exit(0) })
