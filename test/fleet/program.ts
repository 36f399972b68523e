import { parseArgs, type ParseArgsConfig } from 'node:util'
import { insteadOf } from '../../src/nearest.js'

/** A program of `npm run …`: its options, what it says on the way, its report, and the exit code that follows from it. */

type Options = NonNullable<ParseArgsConfig['options']>
type Values<Given extends Options> = ReturnType<typeof parseArgs<{ options: Given }>>['values']

/** Failures that are printed; the others are counted. */
const SHOWN = 30
const WHOLE = /^[1-9]\d{0,8}$/

/** An option with a value. */
export const text = (value: string | number) => ({ type: 'string', default: String(value) } as const)
/** Repeats a run; without it, each is another one. */
export const seed = () => text(Date.now() % 1_000_000 + 1)

export interface Outcome {
  readonly lines: readonly string[]
  /** What does not hold, a line each. */
  readonly failures: readonly string[]
  /** Said where all holds. */
  readonly holds?: string
}

export interface Program<Given extends Options> {
  /** What `--help` shows; it begins with `usage: `. */
  readonly usage: string
  readonly options: Given
  /** Which of them are whole numbers above 0, where they are given. */
  readonly numbers: ReadonlyArray<keyof Given & string>
  /**
   * @param number the value of an option
   * @returns an exit code, where it has said all itself; 'usage' where options do not go together
   */
  run (values: Values<Given>, number: (name: keyof Given & string) => number, say: (line: string) => void):
  Promise<Outcome | number | 'usage'>
}

/** Runs it to its end, and ends this process: 0 where all holds, 1 where something does not, 2 where the options are wrong. */
export async function runProgram<const Given extends Options> (program: Program<Given>): Promise<never> {
  // What a run has started ends with it: nodes, neighbours and Redis listen for `exit`.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
  process.exit(await exitCode(program))
}

async function exitCode<const Given extends Options> ({ usage, options, numbers, run }: Program<Given>): Promise<number> {
  const values = programOptions(usage, { ...options, help: { type: 'boolean', default: false } }) as
    Values<Given> & Readonly<Record<string, string | undefined>> & { readonly help: boolean }
  const isWrong = numbers.some(name => values[name] !== undefined && !WHOLE.test(values[name]))
  if (values.help || isWrong) return showUsage(usage, values.help)
  const seedOf = values['seed'] === undefined ? '' : `seed ${values['seed']}`
  if (seedOf !== '') console.log(seedOf)
  const began = Date.now()
  const say = (line: string): void => { console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`) }
  const outcome = await run(values, name => Number(values[name]), say)
  if (outcome === 'usage') return showUsage(usage, false)
  if (typeof outcome === 'number') return outcome
  const { lines, failures, holds = 'holds' } = outcome
  for (const line of ['', ...lines, '', ...failures.slice(0, SHOWN).map(failure => `FAILED ${failure}`)]) console.log(line)
  if (failures.length > SHOWN) console.log(`… and ${failures.length - SHOWN} more`)
  console.log([failures.length === 0 ? holds : `${failures.length} failures`, ...seedOf === '' ? [] : [seedOf]].join(', '))
  return failures.length === 0 ? 0 : 1
}

function showUsage (usage: string, wasAsked: boolean): number {
  console.log(usage)
  return wasAsked ? 0 : 2
}

/** One that is misspelt ends the program with a sentence that says so, and how it is used. */
function programOptions<const Given extends Options> (usage: string, options: Given): Values<Given> {
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
