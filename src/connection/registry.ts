import { ProtocolError } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import type { CloseReason } from './transport.js'

/** A connection, or a poll that is being answered: an operator can close it. */
export interface Addressable {
  readonly id: string
  readonly identity: Identity
  /**
   * Names the client of a poll, which may have chosen the id: see {@link Registry.add}. Undefined for a
   * connection, whose id the server makes.
   */
  readonly caller?: string
  close (reason: CloseReason): void
}

/** What an operator wants to close: one connection by its id, or all connections of a user. */
export type Address = { readonly connectionId: string } | { readonly userId: string }

/** Connections and held polls, by the ids that operators know. */
export class Registry {
  private readonly byId = new Map<string, Addressable[]>()

  /**
   * Adds a connection or a poll. An id that a client chose, as for a poll, belongs to one caller at a time,
   * so that closing it never closes a poll of another client.
   * @throws ProtocolError `bad_request`: another caller uses the id now
   */
  add (member: Addressable): void {
    const same = this.byId.get(member.id)
    if (same === undefined) this.byId.set(member.id, [member])
    else if (same.every(({ caller }) => caller !== undefined && caller === member.caller)) same.push(member)
    else throw new ProtocolError('bad_request', 'another client uses this X-Request-Id; choose a random one')
  }

  remove (member: Addressable): void {
    const left = this.byId.get(member.id)?.filter(other => other !== member) ?? []
    if (left.length === 0) this.byId.delete(member.id)
    else this.byId.set(member.id, left)
  }

  all (): Addressable[] {
    return [...this.byId.values()].flat()
  }

  /** Closes everything at the address. Returns how many that was. */
  close (address: Address, reason: CloseReason): number {
    const found = 'connectionId' in address
      ? this.byId.get(address.connectionId) ?? []
      : this.ofUser(address.userId)
    for (const member of [...found]) member.close(reason)
    return found.length
  }

  /**
   * Finds the members of a user by a search. An index is not worth it: a WebSocket may name its user only
   * later, and operators ask seldom.
   */
  private ofUser (user: string): Addressable[] {
    return this.all().filter(({ identity }) => identity.user === user)
  }
}
