import { until } from '../helpers/clients.js'
import type { FaultClient } from './client.js'
import type { World } from './world.js'

/** Of the clients: how many leave before the point behind which all is lost, and how many when they have seen what is lost. */
const LEAVING = 0.15
/** A cursor that comes so long after a message was acknowledged covers it: messages wait for a flush, cursors for nothing. */
const CURSOR_AGE_MS = 200

/** Clients that are away when something is lost: some with a cursor from before, some with one from behind that point. */
export class Leavers {
  private readonly gone: FaultClient[]
  private readonly others: FaultClient[]

  constructor ({ fleet, random }: World) {
    const drawn = fleet.clients.map(client => ({ client, lot: random.next() }))
    this.gone = drawn.flatMap(({ client, lot }) => lot < LEAVING ? [client] : [])
    this.others = drawn.flatMap(({ client, lot }) => lot >= LEAVING && lot < 2 * LEAVING ? [client] : [])
    for (const client of this.gone) client.leave()
  }

  /**
   * Leaves with a cursor from behind a moment: one that had seen more than its cursor says, and whose cursor is from
   * before what is lost, could not be told of it.
   */
  async leaveAfter (moment: number, concerned: (client: FaultClient) => boolean = () => true): Promise<void> {
    let waiting = this.others.filter(concerned)
    await until('the cursors are from behind that point', () => {
      waiting = waiting.filter(client => {
        if (!client.settled || client.cursorAt <= moment + CURSOR_AGE_MS) return true
        client.leave()
        this.gone.push(client)
        return false
      })
      return waiting.length === 0
    })
  }

  comeBack (): void {
    for (const client of this.gone) client.comeBack()
  }
}
