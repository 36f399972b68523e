#!/usr/bin/env node
import { nearest } from '../nearest.js'
import { version } from '../version.js'
import { columns, type Command, CommandError, helpOf, readArguments, UsageError } from './command.js'
import { certificate } from './commands/certificate.js'
import { checkConfig } from './commands/check-config.js'
import { nodes } from './commands/nodes.js'
import { publish } from './commands/publish.js'
import { sizing } from './commands/sizing.js'
import { start } from './commands/start.js'
import { tail } from './commands/tail.js'
import { token } from './commands/token.js'

/** The commands: a new one is a file in `commands` and a name in this list. */
const commands: readonly Command[] = [start, tail, publish, nodes, token, checkConfig, certificate, sizing]

const overview = (): string => `tickwire ${version}: a streaming server for market data\n\nusage: tickwire <command> [flags]\n\n${
  columns(commands.map(({ name, summary }) => [name, summary] as const))}\n\ntickwire <command> --help says more of each.`

async function main ([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(overview())
    return 0
  }
  if (name === '--version' || name === '-v') {
    console.log(version)
    return 0
  }
  const command = commands.find(candidate => candidate.name === name)
  if (command === undefined) {
    const similar = nearest(name, commands.map(({ name }) => name))
    throw new UsageError(`there is no command '${name}'; ${similar === undefined ? `there are: ${commands.map(({ name }) => name).join(', ')}` : `did you mean ${similar}?`}`)
  }
  const { values, positionals } = readArguments(command, args)
  if (values['help'] === true) {
    console.log(helpOf(command))
    return 0
  }
  return await command.run({ values, positionals, env: process.env })
}

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CommandError)) throw error
  console.error(`tickwire: ${error.message}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
