import type { Identity } from '../auth/identity.js'
import { addressGroup } from '../connection/address.js'

/** Names whose request it is, where requests are counted: the user, or the address of one without a name. */
export const callerOf = (identity: Identity | undefined, ip: string): string =>
  identity?.user === undefined ? `address ${addressGroup(ip)}` : `user ${identity.user}`
