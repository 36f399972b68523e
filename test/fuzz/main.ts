import { runProgram, seed, text } from '../fleet/program.js'
import { failures, reportLines } from './report.js'
import { fuzz } from './run.js'

/** `npm run fuzz`: see USAGE. */
const DEFAULT_RATE = 2000
const USAGE = `usage: npm run fuzz -- [--messages 1000000] [--seed N] [--rate ${DEFAULT_RATE}] [--control 20] [--seconds N]

WebSocket messages, query strings and HTTP bodies, made from the protocol's own schemas and grammar, right and
nearly right, garbled and no messages at all, for a server in a process of its own, at so many a second. Then
  - it did not end, and printed no error,
  - everything was answered, each answer fits the protocol's schemas, and none is internal,
  - what does not fit was refused, and what fits was not called malformed,
  - honest clients beside it were sent every message, once and in order,
  - nothing of the others is left, and memory is flat (from four minutes on),
  - at least half of the inputs passed the parser, and every action, parameter, channel and code was reached
    (from 100,000 on).

The same seed makes the same inputs, but for the cursors, epochs and ids that the server gave out.
  --control      seconds for which the honest clients are watched alone first
  --seconds      ends sooner, however many were sent`

/** Below it, chance leaves something out. */
const WHOLE_FROM = 100_000

await runProgram({
  usage: USAGE,
  options: {
    messages: text(1_000_000),
    seed: seed(),
    rate: text(DEFAULT_RATE),
    control: text(20),
    seconds: text(1_000_000)
  },
  numbers: ['messages', 'seed', 'rate', 'control', 'seconds'],
  async run (_values, number, say) {
    const report = await fuzz({
      seed: number('seed'),
      messages: number('messages'),
      rate: number('rate'),
      lastsMs: number('seconds') * 1000,
      controlMs: number('control') * 1000,
      say
    })
    return { lines: reportLines(report), failures: failures(report, report.coverage.inputs >= WHOLE_FROM) }
  }
})
