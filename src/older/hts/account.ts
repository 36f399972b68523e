import { errorTable, orders, portfolio, ProtocolError } from '@tickwire/protocol'
import Big from 'big.js'
import type { Identity } from '../../auth/identity.js'
import { refuseRead } from '../../auth/permissions.js'
import type { AccountView } from '../../trading-records/views.js'

/** @throws ProtocolError `unauthorized`, `forbidden` */
export function requireAccountRight (identity: Identity): string {
  for (const channel of [portfolio, orders]) {
    const refusal = refuseRead(identity, channel, undefined)
    if (refusal !== undefined) throw new ProtocolError(refusal, errorTable[refusal].message)
  }
  return identity.user!
}

/**
 * Returns the answer `account` (docs/compat.md). Its amounts are in the base currency: those of the
 * portfolio, as it was published last; before the user has traded, those of the cash in that currency.
 */
export function accountAnswer (user: string, { currency, balances, portfolio }: AccountView): string {
  const base = balances.find(balance => balance.currency === currency)
  const balance = portfolio?.cash ?? base?.cash ?? '0'
  const available = portfolio?.buying_power ?? base?.available ?? '0'
  const used = new Big(balance).minus(available).toFixed()
  const data = `"account_id":${JSON.stringify(user)},"balance":${balance},` +
    `"equity":${portfolio?.total_value ?? balance},"margin_used":${used},"margin_available":${available}`
  return `{"type":"account","data":{${data}}}`
}
