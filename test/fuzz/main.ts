import { programOptions } from '../helpers/program-options.js'
import { failures, reportLines } from './report.js'
import { fuzz } from './run.js'

/** `npm run fuzz`: see USAGE. The exit code is 1 where something does not hold. */
const DEFAULT_RATE = 2000
const USAGE = `usage: npm run fuzz -- [--messages 1000000] [--seed N] [--rate ${DEFAULT_RATE}] [--control 20] [--seconds N]

WebSocket messages, query strings and HTTP bodies, made from the protocol's own schemas and grammar, right and nearly right,
garbled and no messages at all, for a server in a process of its own, at so many a second. Then
  - it did not end, and printed no error,
  - everything was answered, each answer fits the protocol's schemas, and none is internal,
  - what does not fit was refused, and what fits was not called malformed,
  - honest clients beside it were sent every message, once and in order,
  - nothing of the others is left, and memory is flat (from four minutes on),
  - at least half of the inputs passed the parser, and every action, parameter, channel and code was reached (from 100,000 on).

The same seed makes the same inputs, but for the cursors, epochs and ids that the server gave out.
  --control      seconds for which the honest clients are watched alone first
  --seconds      ends sooner, however many were sent`

/** Below it, chance leaves something out. */
const WHOLE_FROM = 100_000

const values = programOptions(USAGE, {
  messages: { type: 'string', default: '1000000' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  rate: { type: 'string', default: String(DEFAULT_RATE) },
  control: { type: 'string', default: '20' },
  seconds: { type: 'string', default: '1000000' },
  help: { type: 'boolean', default: false }
})

async function main (): Promise<number> {
  const { messages, seed, rate, control, seconds } = values
  if (values.help || [messages, seed, rate, control, seconds].some(text => !/^[1-9]\d*$/.test(text))) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  console.log(`seed ${seed}, ${messages} inputs`)
  const began = Date.now()
  const report = await fuzz({
    seed: Number(seed),
    messages: Number(messages),
    rate: Number(rate),
    lastsMs: Number(seconds) * 1000,
    controlMs: Number(control) * 1000,
    say: line => { console.log(`${((Date.now() - began) / 1000).toFixed(0).padStart(6)} s  ${line}`) }
  })
  const failed = failures(report, report.coverage.inputs >= WHOLE_FROM)
  for (const line of ['', ...reportLines(report), '', ...failed.map(text => `FAILED ${text}`)]) console.log(line)
  console.log(`${failed.length === 0 ? 'holds' : `${failed.length} failures`}, seed ${seed}`)
  return failed.length === 0 ? 0 : 1
}

// What it has started ends with it: the server and the neighbours listen for `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
process.exit(await main())
