import { parseArgs, type ParseArgsConfig } from 'node:util'
import { insteadOf } from '../../src/nearest.js'

type Options = NonNullable<ParseArgsConfig['options']>

/** The options of a program's command line. One that is misspelt ends it with a sentence that says so, and how it is used. */
export function programOptions<const Given extends Options> (usage: string, options: Given): ReturnType<typeof parseArgs<{ options: Given }>>['values'] {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    const unknown = /^Unknown option '--([^']*)'/.exec((error as Error).message)?.[1]
    const names = Object.keys(options)
    console.error(unknown === undefined ? (error as Error).message : `there is no option --${unknown}${insteadOf(unknown, names)}`)
    console.error(`\n${usage}`)
    process.exit(2)
  }
}
