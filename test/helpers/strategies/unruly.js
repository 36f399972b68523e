import { defineStrategy, Type } from '@tickwire/server/strategies'

/** Strategies that do what none should, and some that tests can look into. */

const on = (name, description, onBar, more = {}) =>
  defineStrategy({ name, description, parameters: Type.Object({}), onBar, ...more })

/** The close at which a strategy misbehaves: before it, it does nothing. */
const BAD = '666'
const atBad = work => bar => { if (bar.close === BAD) work() }

export const loops = on('loops', 'Loops for ever.', atBad(() => { for (;;); }))
export const throws = on('throws', 'Throws.', atBad(() => { throw new Error('as it was told') }))
export const hoards = on('hoards', 'Takes all memory.', atBad(() => {
  const hoard = []
  for (;;) hoard.push(new Array(1_000_000).fill(hoard.length))
}))
export const promises = on('promises', 'Answers later.', async () => {})
export const strays = on('strays', 'Leaves a promise that fails.', atBad(() => { Promise.reject(new Error('left behind')) }))
export const microtasks = on('microtasks', 'Loops in promises.', atBad(() => {
  const again = () => Promise.resolve().then(again)
  again()
}))
export const exits = on('exits', 'Ends the process.', atBad(() => { process.exit(1) }))
export const wastes = on('wastes', 'Uses much CPU.', () => {
  for (const end = performance.now() + 300; performance.now() < end;);
})
export const unfit = on('unfit', 'Gives a signal that there is not.', (_bar, { signal }) => { signal('hold') })
export const fallsAtStart = on('falls_at_start', 'Throws when it starts.', () => {}, {
  onStart () { throw new Error('no start') }
})

/** Buys at a close of 1, sells one at 2, sells all at 0; writes what it gets to the log. */
export const told = defineStrategy({
  name: 'told',
  description: 'Does what the closes say.',
  parameters: Type.Object({
    reason: Type.String({ default: 'because', maxLength: 20 }),
    more: Type.Optional(Type.Number({ minimum: 1 }))
  }),
  onStart: () => ({ bars: 0 }),
  onBar ({ close, start }, { state, parameters, position, signal, log }) {
    state.bars++
    log(`bar ${state.bars} ${start} ${close} ${position}`)
    const { reason } = parameters
    if (close === '1') signal('buy', { reason })
    if (close === '2') signal('sell', { reason, quantity: 1 })
    if (close === '0') signal('flat')
  },
  onOrder ({ status }, { position, log }) { log(`order ${status} ${position}`) }
})

/** Says which quotes it gets. */
export const quoted = defineStrategy({
  name: 'quoted',
  description: 'Buys at the first quote.',
  parameters: Type.Object({}),
  onQuote ({ last }, { position, signal, log }) {
    log(`quote ${last} ${position}`)
    if (position === 0) signal('buy')
  }
})
