import type { NewAlertRule } from '@tickwire/protocol'
import { compareDecimals } from '@tickwire/protocol/decimal'
import { readDecimal } from '../../app/decimals.js'
import type { AlertText } from './alert-words.js'

export const TYPES = ['price', 'percent', 'volume', 'spread', 'close'] as const
export const PRICES = ['last', 'bid', 'ask', 'trade'] as const
export const WINDOWS = ['1m', '5m', '15m', '1h'] as const
export const INTERVALS = ['1s', '1m', '5m'] as const

/** What the form has in its fields, as it was typed. */
export interface RuleDraft {
  readonly type: NewAlertRule['type']
  readonly direction: 'above' | 'below'
  readonly level: string
  readonly of: typeof PRICES[number]
  readonly within: typeof WINDOWS[number]
  readonly interval: typeof INTERVALS[number]
  readonly hysteresis: string
  readonly cooldown: string
  /** On the clock of the person, as the field has it; empty: for ever. */
  readonly expires: string
  readonly note: string
}

export const FIRST_RULE: RuleDraft = {
  type: 'price',
  direction: 'above',
  level: '',
  of: 'last',
  within: '5m',
  interval: '1m',
  hysteresis: '',
  cooldown: '',
  expires: '',
  note: ''
}

export const hasPrice = ({ type }: RuleDraft): boolean => type === 'price' || type === 'percent'

/** Says what is wrong with a rule; undefined: nothing that the page knows of. */
export function ruleFault (draft: RuleDraft, text: AlertText): string | undefined {
  if (draft.level.trim() === '') return text.missing
  const level = readDecimal(draft.level)
  if (level === undefined) return text.number
  if (draft.type === 'percent') {
    const side = compareDecimals(level, '0')
    if (draft.direction === 'above' && side <= 0) return text.rise
    if (draft.direction === 'below' && side >= 0) return text.fall
  }
  if (draft.hysteresis.trim() !== '' && readDecimal(draft.hysteresis) === undefined) return text.number
  return /^\d*$/.test(draft.cooldown.trim()) ? undefined : text.whole
}

/** Returns the rule that is sent: only what its type has. The draft must be without faults. */
export function ruleOf (symbol: string, draft: RuleDraft): NewAlertRule {
  const { type, direction, of, within, interval, cooldown, expires, note } = draft
  const hysteresis = readDecimal(draft.hysteresis)
  return {
    type,
    symbol,
    [direction]: readDecimal(draft.level)!,
    ...(hasPrice(draft) && of !== 'last' ? { of } : {}),
    ...(type === 'percent' ? { within } : {}),
    ...(type === 'close' ? { interval } : {}),
    ...(hysteresis === undefined ? {} : { hysteresis }),
    ...(cooldown.trim() === '' ? {} : { cooldown_seconds: Number(cooldown) }),
    ...(expires === '' ? {} : { expires_at: new Date(expires).toISOString() }),
    ...(note.trim() === '' ? {} : { note: note.trim() })
  }
}
