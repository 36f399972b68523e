import { ProtocolError } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import type { CloseReason } from './transport.js'

/** What an operator can end: a connection, or a poll that is being answered. */
export interface Addressable {
  readonly id: string
  readonly identity: Identity
  /** Who may use this id for more than one at a time, where clients choose it: see {@link Registry.add}. */
  readonly caller?: string
  close (reason: CloseReason): void
}

/** Whom to end: one by its connection id, or all of a user. */
export type Address = { readonly connectionId: string } | { readonly userId: string }

/** Who is connected, by the ids that operators know. */
export class Registry {
  private readonly byId = new Map<string, Addressable[]>()

  /**
   * An id that a client chose (a poll's) stands for one caller at a time: ending it must never end somebody else's.
   * @throws ProtocolError `bad_request`: the id is another's now
   */
  add (member: Addressable): void {
    const same = this.byId.get(member.id)
    if (same === undefined) this.byId.set(member.id, [member])
    else if (same.every(({ caller }) => caller !== undefined && caller === member.caller)) same.push(member)
    else throw new ProtocolError('bad_request', 'this X-Request-Id is in use by another client; a random one is not')
  }

  remove (member: Addressable): void {
    const left = this.byId.get(member.id)?.filter(other => other !== member) ?? []
    if (left.length === 0) this.byId.delete(member.id)
    else this.byId.set(member.id, left)
  }

  all (): Addressable[] {
    return [...this.byId.values()].flat()
  }

  /** @returns how many were closed */
  close (address: Address, reason: CloseReason): number {
    const found = 'connectionId' in address ? this.byId.get(address.connectionId) ?? [] : this.ofUser(address.userId)
    for (const member of [...found]) member.close(reason)
    return found.length
  }

  /** Looked for, not indexed: the user of a WebSocket may become known later, and operators ask seldom. */
  private ofUser (user: string): Addressable[] {
    return this.all().filter(({ identity }) => identity.user === user)
  }
}
