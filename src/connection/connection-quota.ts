import { ProtocolError } from '@tickwire/protocol'
import { addressGroup } from './address.js'
import { CountByName } from './counts.js'

export interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  readonly maxConnectionsPerUser: number
}

/** A place that a connection or a held poll takes; given back once. */
export interface ConnectionSlot {
  /** Counts it for a user who has become known; again for the same one changes nothing. @throws ProtocolError `too_many_connections` */
  claim (user: string): void
  /** May be handed on by itself. */
  readonly release: () => void
}

/** How many connections and held polls a node has: in all, from each address, of each user. */
export class ConnectionQuota {
  private readonly byAddress = new CountByName()
  private readonly byUser = new CountByName()
  private count = 0

  constructor (private readonly limits: ConnectionLimits) {}

  get taken (): number {
    return this.count
  }

  /** @throws ProtocolError `too_many_connections` */
  take (ip: string | undefined, user: string | undefined): ConnectionSlot {
    const { maxConnections, maxConnectionsPerIp } = this.limits
    const address = addressGroup(ip)
    if (this.count >= maxConnections) throw new ProtocolError('too_many_connections', `this server takes at most ${maxConnections} connections`)
    if (this.byAddress.of(address) >= maxConnectionsPerIp) {
      throw new ProtocolError('too_many_connections', `this server takes at most ${maxConnectionsPerIp} connections from one address`)
    }
    if (user !== undefined) this.claim(user)
    this.count++
    this.byAddress.add(address)
    return new TakenSlot(this, address, user)
  }

  /** @throws ProtocolError `too_many_connections` */
  claim (user: string): void {
    const { maxConnectionsPerUser } = this.limits
    if (this.byUser.of(user) >= maxConnectionsPerUser) {
      throw new ProtocolError('too_many_connections', `this server takes at most ${maxConnectionsPerUser} connections of one user`)
    }
    this.byUser.add(user)
  }

  free (address: string, user: string | undefined): void {
    this.count--
    this.byAddress.remove(address)
    if (user !== undefined) this.byUser.remove(user)
  }
}

class TakenSlot implements ConnectionSlot {
  private released = false

  constructor (private readonly places: ConnectionQuota, private readonly address: string, private user: string | undefined) {}

  claim (user: string): void {
    if (this.user !== undefined || this.released) return
    this.places.claim(user)
    this.user = user
  }

  readonly release = (): void => {
    if (this.released) return
    this.released = true
    this.places.free(this.address, this.user)
  }
}
