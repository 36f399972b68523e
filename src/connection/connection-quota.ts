import { ProtocolError } from '@tickwire/protocol'
import { addressGroup } from './address.js'
import { CountByName } from './counts.js'
import { AT_A_TIME, type LimitedCallers } from './limited-callers.js'

export interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  readonly maxConnectionsPerUser: number
}

/** The slot of one connection or held poll. It can be released once. */
export interface ConnectionSlot {
  /**
   * Counts the slot for a user who has become known. Does nothing if it counts for a user already, or is
   * released.
   * @throws ProtocolError `too_many_connections`
   */
  claim (user: string): void
  /** Frees the slot. It is bound to the slot, so it can be passed on as a callback. */
  readonly release: () => void
}

/**
 * Counts the connections and held polls of a node, and limits them: in all, from each address, of each user.
 */
export class ConnectionQuota {
  private readonly byAddress = new CountByName()
  private readonly byUser = new CountByName()
  private count = 0

  constructor (
    private readonly limits: ConnectionLimits, private readonly limited?: Pick<LimitedCallers, 'note'>
  ) {}

  get taken (): number {
    return this.count
  }

  /** Takes a slot. @throws ProtocolError `too_many_connections` */
  take (ip: string | undefined, user: string | undefined): ConnectionSlot {
    const { maxConnections, maxConnectionsPerIp } = this.limits
    const address = addressGroup(ip)
    if (this.count >= maxConnections) throw tooMany(`${maxConnections} connections`)
    if (this.byAddress.of(address) >= maxConnectionsPerIp) {
      this.limited?.note('connections', `address ${address}`, maxConnectionsPerIp, AT_A_TIME)
      throw tooMany(`${maxConnectionsPerIp} connections from one address`)
    }
    if (user !== undefined) this.claim(user)
    this.count++
    this.byAddress.add(address)
    return new TakenSlot(this, address, user)
  }

  /** Counts one more connection of a user. @throws ProtocolError `too_many_connections` */
  claim (user: string): void {
    const { maxConnectionsPerUser } = this.limits
    if (this.byUser.of(user) >= maxConnectionsPerUser) {
      this.limited?.note('connections', `user ${user}`, maxConnectionsPerUser, AT_A_TIME)
      throw tooMany(`${maxConnectionsPerUser} connections of one user`)
    }
    this.byUser.add(user)
  }

  free (address: string, user: string | undefined): void {
    this.count--
    this.byAddress.remove(address)
    if (user !== undefined) this.byUser.remove(user)
  }
}

const tooMany = (limit: string): ProtocolError =>
  new ProtocolError('too_many_connections', `this server takes at most ${limit}`)

class TakenSlot implements ConnectionSlot {
  private released = false

  constructor (
    private readonly quota: ConnectionQuota,
    private readonly address: string,
    private user: string | undefined
  ) {}

  claim (user: string): void {
    if (this.user !== undefined || this.released) return
    this.quota.claim(user)
    this.user = user
  }

  readonly release = (): void => {
    if (this.released) return
    this.released = true
    this.quota.free(this.address, this.user)
  }
}
