import { type AlertRule, channelOfRule, instantMs } from '@tickwire/protocol'
import type { Wanted } from '../user-lists/list-demand.js'

/** Returns what the alert rules of a user demand. @param data of their message; null: there are none */
export function rulesWant (data: unknown): readonly Wanted[] {
  const { rules } = (data ?? { rules: [] }) as { readonly rules: readonly AlertRule[] }
  return rules.map(rule => ({
    topics: [{ channel: channelOfRule(rule), symbol: rule.symbol }],
    end: rule.expires_at === undefined ? Infinity : instantMs(rule.expires_at)
  }))
}
